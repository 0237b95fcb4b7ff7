// SPDX-License-Identifier: BSD-2-Clause
// IRQ threads on the kernel with devices that interrupt when told to: run as the root task in QEMU.
#include "tests/irq/support.hpp"

extern "C" void libelle_main() {
    using namespace laboratory;
    static const struct {
        const char* name;
        void (*run)();
    } tests[] = {
        {"queue_vectors", test_queue_vectors},
        {"vector_moves", test_vector_moves},
        {"vector_storm", test_vector_storm},
        {"vector_without_driver", test_vector_without_driver},
        {"balanced_vectors", test_balanced_vectors},
        {"single_message", test_single_message},
        {"shared_line", test_shared_line},
        {"device_without_driver", test_device_without_driver},
        {"storm_on_budget", test_storm_on_budget},
        {"driver_dies", test_driver_dies},
        {"task_dies", test_task_dies},
        {"line_moves", test_line_moves},
    };
    initialize();
    unsigned failed = 0;
    for (const auto& test : tests) {
        unsigned before = failures;
        test.run();
        bool ok = failures == before;
        failed += !ok;
        print(ok ? "ok " : "FAIL ");
        print(test.name);
        print("\n");
    }
    finish(failed ? 1 : 0);
}
