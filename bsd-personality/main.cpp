// SPDX-License-Identifier: BSD-2-Clause
// The personality's start: LWKT on all vCPUs, then memory, files and the first process of the jail. What it
// needs is in glue::shared_memory() (proto/jail.hpp) and in glue::start().
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/counters.hpp"
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "bsd-personality/kern/usched.hpp"
#include "bsd-personality/vfs/console.hpp"
#include "bsd-personality/vm/page.hpp"
#include "glue/console.hpp"
#include "glue/task.hpp"

namespace bsd {

namespace {

proto::JailShared& shared() {
    return *static_cast<proto::JailShared*>(glue::shared_memory());
}

glue::Ring ring(proto::JailRing which) {
    return glue::Ring(reinterpret_cast<glue::RingHeader*>(&shared().ring[which]), shared().data[which],
                      proto::console_ring_size);
}

// First LWKT thread of vCPU 0.
void boot(void*) {
    lwkt::TokenGuard guard(giant);
    if (shared().parameters.magic != proto::jail_magic)
        return jail_failed("the jail's parameters are missing");
    jail.parameters = shared().parameters;
    default_abi = jail.parameters.abi == proto::JailAbi::dragonfly ? &dragonfly_abi : &freebsd_abi;
    if (jail.parameters.trace != 0)
        start_trace(ring(proto::ring_trace), glue::ring_box);
    random_source.add(jail.parameters.seed, sizeof jail.parameters.seed);
    set_epoch(jail.parameters.epoch);
    auto console_started = start_console(ring(proto::ring_stdin), ring(proto::ring_stdout),
                                         ring(proto::ring_stderr), glue::ring_box, shared().terminal);
    if (!console_started || !initialize_exec())
        return jail_failed("the jail's memory is too small");
    if (auto started = start_first_process(); !started && jail.status->state != proto::JailState::failed)
        jail_failed("start: ", describe(started.error()));
}

} // namespace

} // namespace bsd

extern "C" void libelle_main() {
    bsd::jail.status = &bsd::shared().status;
    bsd::jail.ring_box = glue::ring_box;
    bsd::initialize_usched();
    if (!bsd::vm::pages_initialize()) {
        bsd::jail_failed("memory: the jail's RAM has no room beside the personality");
    } else if (auto result = lwkt::start(bsd::boot, nullptr, bsd::vm::page_provider()); !result) {
        bsd::jail_failed("vCPUs: ", abi::error_names[static_cast<unsigned>(result.error())]);
    }
    glue::wait_for_ever(); // nothing is left to run; the box has been told why
}
