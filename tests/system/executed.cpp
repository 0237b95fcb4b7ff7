// SPDX-License-Identifier: BSD-2-Clause
// A plugin of QEMU's that counts the instructions which the guest executes, and how many of them are HLT, in
// a file of two words of eight bytes: counts=PATH. However QEMU ends, the file has them. What the plugin
// needs of QEMU's interface is declared here: Debian ships no header for it.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
extern "C" {
void qemu_plugin_register_vcpu_tb_trans_cb(std::uint64_t, void (*)(std::uint64_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, int add, void* to, std::uint64_t what);
std::size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, std::size_t);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
extern const int qemu_plugin_version;
const int qemu_plugin_version = 1;
}

namespace {

enum { instructions, halts, counts };
std::uint64_t* executed;

void count(qemu_plugin_insn* instruction) {
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, 0, &executed[instructions], 1);
    if (*static_cast<const std::uint8_t*>(qemu_plugin_insn_data(instruction)) == 0xf4)
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, 0, &executed[halts], 1);
}

void translated(std::uint64_t, qemu_plugin_tb* block) {
    for (std::size_t i = 0; i != qemu_plugin_tb_n_insns(block); ++i)
        count(qemu_plugin_tb_get_insn(block, i));
}

} // namespace

extern "C" int qemu_plugin_install(std::uint64_t id, const qemu_info_t*, int count, char** arguments) {
    if (count != 1 || std::strncmp(arguments[0], "counts=", 7) != 0)
        return 1;
    int file = open(arguments[0] + 7, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || ftruncate(file, counts * sizeof(std::uint64_t)) != 0)
        return 1;
    void* shared = mmap(nullptr, counts * sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED)
        return 1;
    executed = static_cast<std::uint64_t*>(shared);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
