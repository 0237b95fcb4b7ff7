// SPDX-License-Identifier: BSD-2-Clause
// Tests of the kernel suite: each is a function, listed in main.cpp; a failed CHECK names itself and the
// suite goes on.
#pragma once

#include "tests/kernel/laboratory.hpp"

namespace laboratory {

extern unsigned failures;

void report(const char* file, int line, const char* expression, Word got, Word wanted);

#define CHECK_EQ(got, wanted)                                                                                \
    do {                                                                                                     \
        auto got_ = static_cast<Word>(got);                                                                  \
        auto wanted_ = static_cast<Word>(wanted);                                                            \
        if (got_ != wanted_)                                                                                 \
            laboratory::report(__FILE_NAME__, __LINE__, #got, got_, wanted_);                                \
    } while (0)
#define CHECK(condition) CHECK_EQ(static_cast<bool>(condition), true)
#define CHECK_ERROR(reply, wanted) CHECK_EQ((reply).error, glue::Error::wanted)

// Free pages of the root pool, after what was destroyed has been given back.
Word free_pages();

// Traces all cores for the rest of the run, if the command line has test.traced: every test by the long ways.
bool trace_all();
extern Selector own_trace; // of core 0 then

// The tests, one file a subject.
void test_capabilities();
void test_derivation();
void test_derivation_across_tasks();
void test_growing_tables();
void test_pools();
void test_nested_pools();
void test_memory_comes_back();
void test_memory_on_its_way();
void test_regions_and_mapping();
void test_page_attributes();
void test_region_revoke();
void test_admission();
void test_binding_contexts();
void test_exhausted_budget();
void test_migration();
void test_destroy_in_use();
void test_confinement();
void test_threads();
void test_ipc();
void test_ipc_across_cores();
void test_send_and_receive();
void test_capability_items();
void test_cancellation();
void test_helping();
void test_call_chains();
void test_start_and_stop();
void test_notifications();
void test_timers();
void test_interrupts();
void test_level_interrupts();
void test_interrupt_affinity();
void test_message_interrupts();
void test_task_priority();
void test_vcpu();
void test_upcalls();
void test_leaving_to_guest();
void test_scheduling();
void test_kept_translations();
void test_extended_state();
void test_invoked_selectors();
void test_dying_objects();
void test_guest_in_dying_task();
void test_exhaustion();
void test_limits();
void test_call_limit();
void test_refused_slots_and_values();
void test_wrong_core();
void test_own_destruction();
void test_aborted_servers();
void test_refused_states();
void test_message_without_time();
void test_destroy();
void test_counters();
void test_trace_errors();
void test_trace_events();
void test_trace_rings();
void test_timer_in_dying_table();
void test_fpu_stays_locked();
void test_thread_goes_with_vcpu();
void test_server_of_an_orphan();

} // namespace laboratory
