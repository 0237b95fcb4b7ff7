// SPDX-License-Identifier: BSD-2-Clause
// What a hostile thread does until it blocks, faults, is stopped or destroyed: any operation with any
// argument, most of them of the kind that the operation expects.
#include "tests/fuzz/hostile.hpp"

namespace fuzz {

namespace {

IN_CHILD Word next_random(Word& state) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545'f491'4f6c'dd1d >> 8;
}

// Nonsense that often means something: selectors, addresses, sizes, flags, extremes.
IN_CHILD Word any_argument(Word& state) {
    Word x = next_random(state), small = x >> 8 & 63;
    switch (x & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        return small;
    case 5:
    case 6:
        return play_address + small * page;
    case 7:
        return play_address + small * abi::large_page_size;
    case 8:
        return small * page;
    case 9:
        return ~Word{0} >> (x >> 8 & 63);
    case 10:
        return Word{1} << small;
    case 11:
        return puppet_address + (x >> 8 & 7) * page;
    case 12:
        return vcpu_address + (x >> 8 & 7) * page;
    case 13:
        return x;
    default:
        return x >> 8 & 7;
    }
}

IN_CHILD Word argument(char kind, Word& state) {
    Word x = next_random(state), y = x >> 8;
    if ((x & 7) == 0)
        return any_argument(state);
    switch (kind) {
    case 'k':
        return y & 63;
    case 'c':
        return y & 3;
    case 'D': {
        Word choice = y & 7;
        return choice == 0   ? 0
               : choice == 1 ? Word{1} << 60
               : choice < 5  ? __builtin_ia32_rdtsc() + (Word{1} << (8 + (y >> 3 & 15)))
                             : 1;
    }
    case 'A':
        return play_address + (y & 1 ? y >> 1 & 63 : (y >> 1 & 3) << 9) * page;
    case 'O':
        return (y & 1 ? y >> 1 & 63 : 0) * page;
    case 'P':
        return y & 1 ? 1 + (y >> 1 & 7) : 1 + (y >> 1 & 1023);
    case 'F':
        return 1 | (y & 31);
    case 'R':
        return y & 31;
    case 'L':
        return (y & 31) | (y >> 8 & 255) << 32;
    case 'X':
        return reinterpret_cast<Word>(&hostile_main);
    case 'Y':
        return puppet_address + y % hostile_threads * page + page - 8;
    case '0':
        return y & 3 ? 0 : any_argument(state);
    case '1':
        return y & 3 ? ~Word{0} : any_argument(state);
    default:
        break;
    }
    const Layout& known = *reinterpret_cast<const Layout*>(layout_address);
    for (unsigned i = 0; i < hostile_slots; ++i)
        if (Word at = (y + i) % hostile_slots; known.kind[at] == kind)
            return at;
    return any_argument(state);
}

// Whether it shall be done rather often: what blocks, stops or destroys others would soon leave nobody.
IN_CHILD bool is_rare(Operation operation, Word x) {
    if (operation == Operation::pool_destroy || operation == Operation::task_destroy ||
        operation == Operation::thread_destroy)
        return x % 32 != 0;
    if (operation == Operation::capability_delete || operation == Operation::capability_revoke)
        return x % 8 != 0;
    if (operation == Operation::thread_stop || operation == Operation::scheduling_unbind ||
        operation == Operation::vcpu_wait || operation == Operation::capability_move)
        return x % 4 != 0;
    return false;
}

IN_CHILD void prepare_vcpu(Word index, Word& state) {
    auto& vcpu = *reinterpret_cast<volatile abi::VcpuPage*>(vcpu_address + index * page);
    bool known = any_argument(state) % 2;
    vcpu.user.rip = known ? reinterpret_cast<Word>(&hostile_main) : any_argument(state);
    vcpu.user.rsp = puppet_address + index * page + page - 8;
    vcpu.user.rdi = index;
    vcpu.user.rflags = any_argument(state);
    vcpu.user.vector = any_argument(state) % 2 ? abi::vector_system_call : 0;
    vcpu.pending = 0;
    vcpu.deadline = any_argument(state);
    vcpu.fs_base = any_argument(state);
    vcpu.upcall_enable = any_argument(state) % 2;
    vcpu.upcall_entry = reinterpret_cast<Word>(&hostile_main);
    vcpu.upcall_stack = puppet_address + index * page + page - 8;
}

} // namespace

IN_CHILD void hostile_main(Word index) {
    auto& count = *reinterpret_cast<volatile Word*>(puppet_address + index * page);
    auto& seed = *reinterpret_cast<volatile Word*>(puppet_address + index * page + 8);
    auto* buffer = reinterpret_cast<volatile abi::MessageBuffer*>(puppet_buffer + index * page);
    const Layout& known = *reinterpret_cast<const Layout*>(layout_address);
    Word state = seed;
    for (;;) {
        seed = state;
        auto operation = static_cast<Operation>(next_random(state) % (abi::operation_count + 1));
        if (known.often_count && next_random(state) % 4)
            operation = static_cast<Operation>(known.often[next_random(state) % known.often_count]);
        else if (is_rare(operation, next_random(state)))
            continue;
        count = count + 1;
        Word number = static_cast<Word>(operation) % abi::operation_count, arguments[6];
        for (unsigned i = 0; i < 6; ++i)
            arguments[i] = argument(known.arguments[number][i], state);
        auto selector = static_cast<Selector>(arguments[0]);
        bool message = operation == Operation::call || operation == Operation::receive ||
                       operation == Operation::reply_wait || operation == Operation::send ||
                       operation == Operation::reply;
        if (message) {
            Word tag = next_random(state) % 66;
            if (next_random(state) % 4 == 0) {
                tag |= next_random(state) & abi::tag_items;
                buffer->item.binding = static_cast<Selector>(argument('b', state));
                buffer->item.flags = static_cast<std::uint32_t>(argument('F', state));
                buffer->item.offset = argument('O', state);
                buffer->item.address = argument('A', state);
                buffer->capability.source = static_cast<Selector>(argument('k', state));
                buffer->capability.rights = static_cast<std::uint32_t>(argument('1', state));
                buffer->capability.badge = argument('0', state);
                buffer->receive_slot = static_cast<Selector>(argument('k', state));
            }
            Message sent{tag, {any_argument(state), any_argument(state)}, 0};
            (void)exchange(operation, selector, sent, argument('D', state));
        } else if (operation == Operation::vcpu_run) {
            if (next_random(state) % 4 == 0)
                prepare_vcpu(index, state);
            (void)glue::native::run_vcpu(selector);
        } else {
            (void)invoke(operation, selector, arguments[1], arguments[2], arguments[3], arguments[4],
                         arguments[5]);
        }
    }
}

} // namespace fuzz
