// SPDX-License-Identifier: BSD-2-Clause
// Spaces before and after their use. Making a process and ending one take longer than a fork or exec should:
// a thread of its own keeps some new ones in readiness and ends those that were used, whose memory has been
// taken away before.
#include "l4-glue/hosted/processors.hpp"
#include "l4-glue/hosted/space.hpp"

#include <condition_variable>
#include <thread>
#include <vector>

namespace glue::hosted {

class Nursery {
public:
    Space* take() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            if (!ready_.empty()) {
                Space* space = ready_.back();
                ready_.pop_back();
                changed_.notify_one();
                return space;
            }
        }
        Space* space = make();
        std::lock_guard<std::mutex> lock(mutex_);
        if (++made_ == 1) // now: later a vCPU's processor and priority could be its guests', and be inherited
            std::thread([this] { work(); }).detach();
        changed_.notify_one();
        return space;
    }

    void give(Space* space) {
        if (space->forsake()) {
            std::lock_guard<std::mutex> lock(mutex_);
            if (several() && used_.size() < most_used) {
                used_.push_back(space);
                changed_.notify_one();
                return;
            }
        }
        delete space; // waits for its end
    }

private:
    static constexpr std::size_t in_readiness = 4, most_used = 32;

    // A jail with one process, as many are, has no use for more.
    bool several() const { return made_ >= 2; }

    static Space* make() {
        auto* space = new Space;
        if (space->start())
            return space;
        delete space;
        return nullptr;
    }

    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (bool refused = false;;) {
            changed_.wait(lock, [&] {
                return several() && (!used_.empty() || (ready_.size() < in_readiness && !refused));
            });
            if (ready_.size() < in_readiness && !refused) {
                lock.unlock();
                Busy::add(1);
                Space* space = make();
                Busy::add(-1);
                lock.lock();
                if (space)
                    ready_.push_back(space);
                refused = space == nullptr; // until one has gone
            } else {
                Space* space = used_.back();
                used_.pop_back();
                lock.unlock();
                Busy::add(1);
                delete space;
                Busy::add(-1);
                lock.lock();
                refused = false;
            }
        }
    }

    std::mutex mutex_; // guards what follows
    std::condition_variable changed_;
    std::vector<Space*> ready_, used_;
    unsigned made_ = 0; // by take()
};

namespace {
Nursery& nursery() {
    static auto* only = new Nursery; // for ever: its thread never ends
    return *only;
}
} // namespace

Space* Space::create() {
    return nursery().take();
}

void Space::retire(Space* space) {
    nursery().give(space);
}

} // namespace glue::hosted
