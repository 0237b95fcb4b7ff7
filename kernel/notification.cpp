// SPDX-License-Identifier: BSD-2-Clause
// Notifications: one word of sticky bits on a home core. Signalling never blocks; from another core it goes
// through the home core's inbox. Bits go to the vCPU page, a waiter, or a thread that receives with the
// notification bound.
#include "kernel/invocation.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

static void signal_vcpu(Core& core, Vcpu& vcpu, Word bits) {
    // Not a locked operation: only this core's threads take events, by instructions that no interrupt
    // divides.
    asm volatile("orq %1, %0" : "+m"(vcpu.page->events) : "r"(bits));
    vcpu_event(core, *vcpu.thread, abi::Trap::event);
}

// A waiter with a deadline, a thread that receives with the notification bound, or nobody.
[[gnu::noinline]] static void signal_others(Core& core, Notification& notification, Word bits) {
    if (Thread* waiter = notification.waiters.first) {
        waiter->registers.rdx = bits;
        return finish(core, *waiter, Error::ok);
    }
    notification.bits |= bits;
    if (Thread* thread = notification.bound; thread && thread->state == ThreadState::receiving) {
        dequeue(core, *thread);
        if (deliver_bound(core, *thread))
            make_ready(core, *thread);
    }
}

void signal(Core& core, Notification& notification, Word bits) {
    if (notification.vcpu)
        return signal_vcpu(core, *notification.vcpu, bits);
    Thread* waiter = notification.waiters.first; // if there is one, there are no bits
    if (!waiter || waiter->timer.queued) [[unlikely]]
        return signal_others(core, notification, bits);
    notification.waiters.pop_first();
    waiter->registers.rax = static_cast<Word>(Error::ok);
    waiter->registers.rdx = bits;
    make_ready(core, *waiter);
}

void signal_anywhere(Notification& notification, Word bits) {
    Core& core = this_core();
    if (notification.core == core.index)
        return signal(core, notification, bits);
    __atomic_fetch_or(&notification.remote_bits, bits, __ATOMIC_ACQ_REL);
    send_request(notification, request_signal);
}

// The receiver gets the bits as a message of the kernel's; false if there are none.
bool deliver_bound(Core&, Thread& thread) {
    Notification* notification = thread.notification;
    if (!notification || !notification->bits)
        return false;
    Registers& r = thread.registers;
    r.rax = static_cast<Word>(Error::ok);
    r.rdi = 0;
    r.rsi = abi::make_tag(abi::label_notification, 1);
    r.r12 = notification->bits;
    notification->bits = 0;
    return true;
}

void invoke_signal(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Notification> notification(thread, r.rdi, abi::notification_right::signal);
    if (!notification)
        return reply(r, notification.error);
    reply(r, Error::ok);
    signal_anywhere(*notification, notification.badge ? notification.badge : 1);
}

void invoke_wait(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Notification> notification(thread, r.rdi, abi::notification_right::receive);
    if (!notification)
        return reply(r, notification.error);
    if (notification->core != core.index)
        return reply(r, Error::wrong_core);
    if (notification->bits) {
        reply(r, Error::ok, notification->bits);
        notification->bits = 0;
        return;
    }
    if (r.rsi) [[unlikely]] {
        if (has_passed(r.rsi))
            return reply(r, Error::would_block);
        set_timeout(core, thread, r.rsi);
    }
    notification->waiters.push(thread);
    block_current(core, ThreadState::waiting);
}

void invoke_poll(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Notification> notification(thread, r.rdi, abi::notification_right::receive);
    if (!notification)
        return reply(r, notification.error);
    if (notification->core != core.index)
        return reply(r, Error::wrong_core);
    reply(r, notification->bits ? Error::ok : Error::would_block, notification->bits);
    notification->bits = 0;
}

} // namespace kernel
