// SPDX-License-Identifier: BSD-2-Clause
// The giant token guards the personality's shared state. Held exclusively, everything may be changed. Held
// shared ("shared mode", the calls marked `shared` in the ABI tables), vCPUs work side by side, each on
// objects that it has claimed:
//  - a handler in shared mode changes nothing but what belongs to its lwp, what it has claimed, bytes of
//  pages
//    that are there already, and what says that it is atomic; it does not sleep, allocate or free;
//  - user memory is reached only as far as this vCPU has it at hand (VmSpace::translate);
//  - whatever needs more answers Errno::eexclusive before it has had any effect, and the dispatcher runs the
//    call again with giant exclusively. So a handler has one code path for what is common, and giant for all.
#pragma once

#include "lwkt/token.hpp"

namespace bsd {

extern lwkt::Token giant;

/// Whether the running thread, which holds giant, shares it.
inline bool shared_mode() {
    return giant.shared();
}

/// An object that one vCPU at a time works on in shared mode. Who finds it taken works exclusively instead;
/// who works exclusively need not look.
class Claimable {
    friend class Claim;
    std::uint32_t taken_ = 0; // atomic
};

class Claim {
public:
    explicit Claim(Claimable& object)
        : object_(__atomic_exchange_n(&object.taken_, 1, __ATOMIC_ACQUIRE) == 0 ? &object : nullptr) {}
    ~Claim() {
        if (object_)
            __atomic_store_n(&object_->taken_, 0, __ATOMIC_RELEASE);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    explicit operator bool() const { return object_ != nullptr; }

private:
    Claimable* object_;
};

} // namespace bsd
