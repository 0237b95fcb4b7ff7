// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/uipc_control.hpp"

#include <new>

#include "bsd-personality/kern/uipc_rights.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

Control* allocate(ControlType type, std::uint32_t length, std::uint32_t size) {
    auto memory = static_cast<std::uint32_t>(sizeof(Control)) + size;
    void* block = lwkt::allocate(memory);
    if (!block)
        return nullptr;
    auto* control = new (block) Control;
    control->type = type;
    control->length = length;
    control->memory = memory;
    return control;
}

Control* dying; // what waits for its files to be closed
bool draining;  // somebody is at it

void drain() {
    if (draining)
        return;
    draining = true;
    bool flying = false;
    while (Control* control = dying) {
        dying = control->next;
        for (std::uint32_t i = 0; control->is_rights() && i < control->count(); i++)
            if (File* file = control->files()[i]) {
                land_right(*file);
                flying |= is_in_flight(*file);
                file->unref();
            }
        lwkt::release(control, control->memory);
    }
    draining = false;
    if (flying)
        collect_sockets();
}

} // namespace

Control* Control::create(ControlType type, std::uint32_t size) {
    return allocate(type, size, size);
}

Control* Control::create_rights(std::uint32_t count) {
    Control* control = allocate(scm_rights, count * static_cast<std::uint32_t>(sizeof(std::int32_t)),
                                count * static_cast<std::uint32_t>(sizeof(File*)));
    for (std::uint32_t i = 0; control && i < count; i++)
        control->files()[i] = nullptr;
    return control;
}

void Controls::push_front(Control* control) {
    control->next = first_;
    first_ = control;
}

void Controls::push_back(Control* control) {
    Control** end = &first_;
    while (*end)
        end = &(*end)->next;
    control->next = nullptr;
    *end = control;
}

void Controls::append(Controls& other) {
    while (Control* control = other.pop_front())
        push_back(control);
}

Control* Controls::pop_front() {
    Control* control = first_;
    if (control)
        first_ = std::exchange(control->next, nullptr);
    return control;
}

void Controls::remove(ControlType type) {
    for (Control** link = &first_; *link;) {
        Control* control = *link;
        if (control->type != type) {
            link = &control->next;
            continue;
        }
        *link = control->next;
        Controls alone;
        alone.push_front(control);
    }
}

std::uint32_t Controls::charge() const {
    std::uint32_t sum = 0;
    for (const Control* control = first_; control; control = control->next)
        sum += control->memory;
    return sum;
}

std::uint32_t Controls::rights() const {
    std::uint32_t sum = 0;
    for (const Control* control = first_; control; control = control->next)
        sum += control->is_rights() ? control->count() : 0;
    return sum;
}

void Controls::discard() {
    while (Control* control = pop_front()) {
        control->next = dying;
        dying = control;
    }
    drain();
}

} // namespace bsd
