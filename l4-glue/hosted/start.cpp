// SPDX-License-Identifier: BSD-2-Clause
// main() of a jail's program on the hosted platform, which the command starts with
//
//     libelle-jail NAME RAM-BYTES VCPUS ARGUMENTS
//
// and these descriptors: 3 the memory shared with it, 4 the image, 5 an eventfd that rings the box, 6 one
// that rings us.
#include "glue/task.hpp"
#include "glue/vcpu.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <csignal>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" void libelle_main();

namespace glue {

namespace {

enum : int { shared_file = 3, image_file, box_bell, own_bell };

void* shared;

int failed(const char* what) {
    std::fprintf(stderr, "libelle-jail: %s\n", what);
    return 1;
}

// The box's doorbell arrives on vCPU 0, as an interrupt would.
void listen() {
    for (eventfd_t count;;)
        if (eventfd_read(own_bell, &count) == 0)
            Vcpu::of(CpuId{0}).signal(Vcpu::event_doorbell);
}

int start_jail(int argc, char** argv) {
    if (argc != 4)
        return failed("is started by libelle run --platform=hosted");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct stat status {};
    if (fstat(shared_file, &status) != 0 || status.st_size <= 0)
        return failed("the box's memory is missing");
    shared = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_SHARED,
                  shared_file, 0);
    if (shared == MAP_FAILED)
        return failed("the box's memory cannot be mapped");
    auto vcpus = static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10));
    if (vcpus == 0 || vcpus > abi::max_cores)
        return failed("wrong number of vCPUs");
    if (const char* reason =
            hosted::set_up_jail(argv[1], std::strtoull(argv[2], nullptr, 10), vcpus, image_file))
        return failed(reason);
    StartInformation& start = hosted::start_information;
    std::snprintf(start.arguments, sizeof start.arguments, "%s", argv[4]);
    std::thread(listen).detach();
    libelle_main();
    return failed("libelle_main returned");
}

} // namespace

void* shared_memory() {
    return shared;
}

void ring_box() {
    (void)eventfd_write(box_bell, 1);
}

void wait_for_ever() {
    for (;;)
        pause();
}

} // namespace glue

int main(int argc, char** argv) {
    return glue::start_jail(argc, argv);
}
