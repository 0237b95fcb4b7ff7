// SPDX-License-Identifier: BSD-2-Clause
// Which sockets in flight are held by nothing but each other. A socket all of whose references are in control
// messages is doubtful; it is alive if one of those messages lies elsewhere than in the buffer of a doubtful
// socket, and then so is all that its buffer holds. What remains doubtful is flushed.
#include "bsd-personality/kern/uipc_rights.hpp"

#include "bsd-personality/kern/uipc_usrreq.hpp"

namespace bsd {

namespace {

List<LocalSocket, &LocalSocket::flying> sockets_in_flight;
unsigned all_in_flight;
bool collecting;

LocalSocket* local_socket(File& file) {
    Socket* socket = file.socket();
    return socket && socket->protocol.family == af_local ? static_cast<LocalSocket*>(socket) : nullptr;
}

template <class Visit>
void visit_buffer(Socket& socket, Visit visit) {
    for (Record* record = socket.receive.first(); record; record = SocketBuffer::next(record))
        for (Control* control = record->controls.first(); control; control = control->next)
            for (std::uint32_t i = 0; control->is_rights() && i < control->count(); i++)
                if (LocalSocket* held = local_socket(*control->files()[i]); held && held->doubtful)
                    visit(*held);
}

// The doubtful sockets that lie in a socket's buffer, or in those of connections that wait for it.
template <class Visit>
void visit_held(LocalSocket& socket, Visit visit) {
    visit_buffer(socket, visit);
    for (Socket* pending = socket.queue.first(); pending; pending = socket.queue.next(pending))
        visit_buffer(*pending, visit);
}

// True: some are still doubtful.
bool find_garbage() {
    bool any = false;
    for (LocalSocket* s = sockets_in_flight.first(); s; s = sockets_in_flight.next(s)) {
        s->doubtful = s->references() == s->in_flight;
        s->unexplained = s->in_flight;
        any |= s->doubtful;
    }
    if (!any)
        return false;
    for (LocalSocket* s = sockets_in_flight.first(); s; s = sockets_in_flight.next(s))
        if (s->doubtful)
            visit_held(*s, [](LocalSocket& held) { held.unexplained--; });
    LocalSocket* alive = nullptr; // and not looked into yet
    auto found_alive = [&alive](LocalSocket& socket) {
        socket.doubtful = false;
        socket.next_found = std::exchange(alive, &socket);
    };
    for (LocalSocket* s = sockets_in_flight.first(); s; s = sockets_in_flight.next(s))
        if (s->doubtful && s->unexplained != 0)
            found_alive(*s);
    while (LocalSocket* s = alive) {
        alive = s->next_found;
        visit_held(*s, found_alive);
    }
    return true;
}

} // namespace

void depart_right(File& file) {
    all_in_flight++;
    if (LocalSocket* socket = local_socket(file); socket && socket->in_flight++ == 0)
        sockets_in_flight.push_back(socket);
}

void land_right(File& file) {
    all_in_flight--;
    if (LocalSocket* socket = local_socket(file); socket && --socket->in_flight == 0)
        sockets_in_flight.remove(socket);
}

bool is_in_flight(File& file) {
    LocalSocket* socket = file.type == FileType::socket ? local_socket(file) : nullptr;
    return socket && socket->in_flight != 0;
}

unsigned rights_in_flight() {
    return all_in_flight;
}

void collect_sockets() {
    if (collecting || sockets_in_flight.empty())
        return;
    collecting = true;
    if (find_garbage()) {
        LocalSocket* garbage = nullptr;
        for (LocalSocket* s = sockets_in_flight.first(); s; s = sockets_in_flight.next(s))
            if (s->doubtful) {
                s->ref(); // none ends before all are flushed
                s->next_found = std::exchange(garbage, s);
            }
        for (LocalSocket* s = garbage; s; s = s->next_found)
            s->flush();
        while (LocalSocket* s = garbage) {
            garbage = s->next_found;
            s->unref();
        }
    }
    collecting = false;
}

void LocalSocket::flush() {
    doubtful = false;
    receive.clear();
    for (Socket* pending = queue.first(); pending; pending = queue.next(pending))
        pending->receive.clear();
}

} // namespace bsd
