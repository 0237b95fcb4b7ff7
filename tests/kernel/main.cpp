// SPDX-License-Identifier: BSD-2-Clause
// The kernel's conformance suite, run as the root task in QEMU on 1, 2 and 4 cores.
#include <cstring>

#include "tests/kernel/check.hpp"

namespace laboratory {

unsigned failures;

void report(const char* file, int line, const char* expression, Word got, Word wanted) {
    ++failures;
    print("  ");
    print(file);
    print(":");
    print(static_cast<Word>(line));
    print(": ");
    print(expression);
    print(" is ");
    print(got);
    print(", not ");
    print(wanted);
    print("\n");
}

Word free_pages() {
    // Three grace periods: what was destroyed just now is measured by the next one.
    Reply reply{};
    for (int i = 0; i < 4; ++i) {
        (void)invoke(Operation::yield, 0);
        reply = invoke(Operation::pool_info, abi::root_pool);
    }
    return reply.value;
}

// What tests/kernel/run compares with the reference.
static void print_notes() {
    for (Word i = 0; i < abi::operation_count; ++i) {
        print("seen ");
        print(abi::operation_names[i]);
        for (Word error = 0; error < sizeof abi::error_names / sizeof abi::error_names[0]; ++error)
            if (reinterpret_cast<const Word*>(glue::native::notes_address)[i] >> error & 1) {
                print(" ");
                print(abi::error_names[error]);
            }
        print("\n");
    }
}

} // namespace laboratory

extern "C" void libelle_main() {
    using namespace laboratory;
    static const struct {
        const char* name;
        void (*run)();
    } tests[] = {
        {"capabilities", test_capabilities},
        {"derivation", test_derivation},
        {"derivation_across_tasks", test_derivation_across_tasks},
        {"growing_tables", test_growing_tables},
        {"pools", test_pools},
        {"nested_pools", test_nested_pools},
        {"memory_comes_back", test_memory_comes_back},
        {"memory_on_its_way", test_memory_on_its_way},
        {"regions_and_mapping", test_regions_and_mapping},
        {"page_attributes", test_page_attributes},
        {"region_revoke", test_region_revoke},
        {"admission", test_admission},
        {"binding_contexts", test_binding_contexts},
        {"exhausted_budget", test_exhausted_budget},
        {"migration", test_migration},
        {"destroy_in_use", test_destroy_in_use},
        {"confinement", test_confinement},
        {"invoked_selectors", test_invoked_selectors},
        {"dying_objects", test_dying_objects},
        {"guest_in_dying_task", test_guest_in_dying_task},
        {"exhaustion", test_exhaustion},
        {"limits", test_limits},
        {"call_limit", test_call_limit},
        {"refused_slots_and_values", test_refused_slots_and_values},
        {"wrong_core", test_wrong_core},
        {"own_destruction", test_own_destruction},
        {"aborted_servers", test_aborted_servers},
        {"refused_states", test_refused_states},
        {"message_without_time", test_message_without_time},
        {"threads", test_threads},
        {"ipc", test_ipc},
        {"ipc_across_cores", test_ipc_across_cores},
        {"send_and_receive", test_send_and_receive},
        {"capability items", test_capability_items},
        {"cancellation", test_cancellation},
        {"helping", test_helping},
        {"call_chains", test_call_chains},
        {"start_and_stop", test_start_and_stop},
        {"notifications", test_notifications},
        {"timers", test_timers},
        {"interrupts", test_interrupts},
        {"level_interrupts", test_level_interrupts},
        {"interrupt_affinity", test_interrupt_affinity},
        {"message_interrupts", test_message_interrupts},
        {"task_priority", test_task_priority},
        {"vcpu", test_vcpu},
        {"upcalls", test_upcalls},
        {"leaving_to_guest", test_leaving_to_guest},
        {"scheduling", test_scheduling},
        {"kept_translations", test_kept_translations},
        {"extended_state", test_extended_state},
        {"counters", test_counters},
        {"trace_errors", test_trace_errors},
        {"trace_events", test_trace_events},
        {"trace_rings", test_trace_rings},
        {"destroy", test_destroy},
        {"timer_in_dying_table", test_timer_in_dying_table},
        {"fpu_stays_locked", test_fpu_stays_locked},
        {"thread_goes_with_vcpu", test_thread_goes_with_vcpu},
        {"server_of_an_orphan", test_server_of_an_orphan},
    };
    initialize();
    print("arguments: ");
    print(reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address)->command_line);
    print("\n");
    unsigned failed = 0;
    bool traced = trace_all();
    for (const auto& test : tests) {
        if (traced && std::strncmp(test.name, "trace_", 6) == 0)
            continue; // a core has one trace
        unsigned before = failures;
        test.run();
        bool ok = failures == before;
        failed += !ok;
        print(ok ? "ok " : "FAIL ");
        print(test.name);
        print("\n");
    }
    print_notes();
    finish(failed ? 1 : 0);
}
