// SPDX-License-Identifier: BSD-2-Clause
// VmSpace: the user memory of a process (or of several, after vfork and rfork): map entries over objects, and
// the page tables as a cache of them. Forking copies entries only; pages are copied when written to (objects'
// shadows) and page-table entries are made by faults.
//
// Guarded by the giant token (in shared mode only what is at hand can be reached); nothing here blocks.
// Addresses are hostile everywhere. Memory: a call that runs out answers ENOMEM; a fault that runs out
// answers FaultResult::no_memory, for which the process is killed.
#pragma once

#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/map_tree.hpp"
#include "bsd-personality/vm/object.hpp"
#include "lwkt/thread.hpp"

namespace bsd {

/// First address that no process can map, and the first one that any can.
inline constexpr std::uint64_t user_address_end = abi::user_end;
inline constexpr std::uint64_t user_address_begin = vm::page_size;

/// What a trap handler makes of a fault.
enum class FaultResult : std::uint8_t {
    done,       // try again
    no_mapping, // SIGSEGV, SEGV_MAPERR
    protection, // SIGSEGV, SEGV_ACCERR
    beyond_end, // SIGBUS, BUS_OBJERR: behind the end of a mapped file
    no_memory,  // SIGKILL: the jail's memory is exhausted
};

/// A request to map; all of mmap(2), and of exec.
struct MapRequest {
    std::uint64_t address = 0; // where, or a hint
    std::uint64_t length = 0;  // bytes; rounded up to pages
    std::uint8_t protection = 0;
    std::uint8_t max_protection = vm::protection_all;
    vm::Object* object = nullptr; // null: anonymous. A reference is taken.
    std::uint64_t offset = 0;     // bytes in the object, page aligned
    bool shared = false;
    bool fixed = false;     // at `address`, replacing what is there
    bool exclusive = false; // with fixed: ENOMEM if something is there
    bool stack = false;     // fixed: the main stack, which grows down from `address + length`
    bool guard = false;
    bool guard_below = false;    // its first page is a guard
    bool inherit_shared = false; // children share it, as if it were shared
    bool no_core = false;        // not in core files
    bool below_2g = false;
    std::uint8_t align_shift = vm::page_shift;
};

/// Limits that proc keeps here (RLIMIT_AS, RLIMIT_STACK, RLIMIT_DATA, RLIMIT_MEMLOCK); bytes.
struct VmLimits {
    std::uint64_t total = ~std::uint64_t{0};
    std::uint64_t stack = 512 << 20;
    std::uint64_t data = std::uint64_t{32} << 30;
    std::uint64_t locked = ~std::uint64_t{0};
};

/// Where a program lies and what mmap makes of that.
struct MapLayout {
    std::uint64_t program = 0;                        // where it begins
    std::uint64_t heap = 0;                           // where the break begins
    std::uint64_t heap_end = std::uint64_t{32} << 30; // hints in [program, heap_end) are ignored
    std::uint64_t base = std::uint64_t{32} << 30;     // where mmap without a hint begins to look
    bool keep_heap_room = false;                      // it never goes below heap_end
};

/// How many pages one may lock.
std::uint64_t most_wired_pages();

/// For getrusage, sysctl and procfs.
struct VmCounters {
    std::uint64_t virtual_bytes = 0;
    std::uint64_t faults = 0, zero_fills = 0, copies = 0;
    std::uint64_t most_resident = 0; // pages, as of the last look
};

/// Page tables. Those of small processes are kept, emptied, for the next one: making and tearing down tables
/// costs more than all else in a fork.
struct PageTables {
    glue::AddressSpace space;
    PageTables* next = nullptr;
    unsigned uses = 1;
};

class VmSpace {
public:
    /// An empty space with one reference. Null when memory (or the kernel's pool) is exhausted.
    static VmSpace* create();
    void ref() { references_++; }
    /// The last one tears everything down.
    void unref();
    std::uint32_t references() const { return references_; }

    // --- faults and the hardware
    // -------------------------------------------------------------------------------
    /// For Vcpu::enter.
    const glue::AddressSpace& hardware() const { return tables_->space; }
    /// Gives back the page tables; faults make them anew. No thread may run in the space before it has held
    /// giant again.
    void rest();
    /// How many times kern/rest.cpp has looked since a thread ran in it; atomic: threads clear it without
    /// giant.
    std::uint8_t looks_at_rest = 1;
    /// Makes `address` accessible, mapping a window around it.
    FaultResult fault(std::uint64_t address, glue::Access access);
    /// The kernel address of the byte at `address` after making it accessible; null if it cannot be. Valid up
    /// to the end of its page and until the next sleep or change of the map. Fast when this vCPU asks again;
    /// in shared mode null unless it does.
    std::byte* translate(std::uint64_t address, bool write) {
        if (at_hand(address, write)) [[likely]]
            return translation(lwkt::current_cpu(), address).page + (address & vm::page_mask);
        return translate_slow(address, write);
    }
    /// Whether translate() is fast.
    bool at_hand(std::uint64_t address, bool write) const {
        const Translation& cached = translation(lwkt::current_cpu(), address);
        return cached.tag == ((address & ~vm::page_mask) | 1) && (!write || cached.writable);
    }
    /// For a debugger: also what the process itself may not write to (that is copied first, if it is private
    /// memory), but nothing that it may not access at all.
    std::byte* translate_for_debugger(std::uint64_t address, bool write);
    /// The pages that can be at hand at once, if they lie one after the other.
    static constexpr unsigned translation_slots = 32;

    // --- the map
    // -----------------------------------------------------------------------------------------------
    /// Errors: EINVAL (range), ENOMEM (no room, limit, exhausted).
    SysResult<std::uint64_t> map(const MapRequest& request);
    /// Errors: ENOMEM (an entry must be split and there is no memory). The range must be valid (valid_range).
    SysResult<void> unmap(std::uint64_t start, std::uint64_t end);
    /// Holes and guards are passed over. `maximum` unless 0: a new one (PROT_MAX), which has `protection` in
    /// it. Errors: EACCES (beyond the old maximum), ENOMEM.
    SysResult<void> protect(std::uint64_t start, std::uint64_t end, std::uint8_t protection,
                            std::uint8_t maximum = 0);
    /// Errors: ENOMEM.
    SysResult<void> set_inherit(std::uint64_t start, std::uint64_t end, vm::Inherit inherit);
    /// Whether core files leave it out. Errors: ENOMEM.
    SysResult<void> set_no_core(std::uint64_t start, std::uint64_t end, bool no_core);
    /// MADV_FREE of anonymous memory: gives pages back, which are zeros afterwards. Holes are passed over.
    void discard(std::uint64_t start, std::uint64_t end);
    /// Every page of the range belongs to an entry.
    bool covered(std::uint64_t start, std::uint64_t end) const;
    /// MINCORE_ bits of one page (1 in core, 2 referenced, 4 modified; 8 and 16 by others than this mapping);
    /// 0 if not resident.
    unsigned core_state(std::uint64_t address) const;
    /// Moves the break (brk). Errors: ENOMEM, EINVAL (below the start).
    SysResult<void> set_break(std::uint64_t address);
    /// Set by exec.
    void set_layout(const MapLayout& layout);
    const MapLayout& layout() const { return layout_; }
    bool randomized = false; // its addresses were chosen at random
    std::uint64_t break_address() const { return break_; }

    /// Maps the window around an address that is about to be used, if it is there to be mapped.
    void expect(std::uint64_t address, glue::Access access) { (void)fault(address, access); }

    /// A copy for fork, entries as their inheritance says. Null when memory is exhausted.
    VmSpace* fork();

    /// Key of a futex word for threads of several processes: the object and the byte in it; for private
    /// memory this space and the address. False if nothing is mapped there.
    struct Key {
        const void* owner;
        std::uint64_t offset;
        bool operator==(const Key&) const = default;
    };
    bool shared_key(std::uint64_t address, Key& key);
    /// umtx_owner_gone is to be told when the owner of this key, which shared_key() has made, goes.
    void watch_key(const Key& key) {
        if (key.owner == this)
            umtx_keys = true;
        else
            const_cast<vm::Object*>(static_cast<const vm::Object*>(key.owner))->umtx_keys = true;
    }

    /// What is mapped of one object is of another one from now on; nothing of it may be in the page tables.
    void replace_object(vm::Object& old, vm::Object& by);

    /// Entries by address, for procfs and sysctl; null at the end.
    const vm::MapEntry* first_entry() const { return tree_.first(); }
    /// The entry that holds `address`, or null.
    const vm::MapEntry* entry_at(std::uint64_t address) { return lookup(address); }
    const VmCounters& counters() const { return counters_; }
    /// Pages that entries can see in memory of their own; walks all objects.
    std::uint64_t resident_pages() const;
    /// The most of them that there have been: now, before large parts were unmapped, or at an earlier
    /// question.
    std::uint64_t most_resident_pages() {
        return counters_.most_resident = most(counters_.most_resident, resident_pages());
    }

    VmLimits limits;
    // --- locking (vm/wire.cpp)
    /// Makes all of a range resident that may be accessed; holes are passed over. Errors: ENOMEM (there is
    /// less memory: nothing has happened; or it went meanwhile).
    SysResult<void> bring_in(std::uint64_t start, std::uint64_t end);
    /// Something in the range is locked; is mapped without any access.
    bool wired_within(std::uint64_t start, std::uint64_t end) const;
    bool closed_within(std::uint64_t start, std::uint64_t end) const;
    /// Marks what is mapped in a range as locked (mlock) or not. Errors: ENOMEM.
    SysResult<void> set_wired(std::uint64_t start, std::uint64_t end, bool wired);
    /// Bytes that are locked; walks all entries.
    std::uint64_t wired_bytes() const;
    bool wire_future = false; // mlockall(MCL_FUTURE): what is mapped from now on is locked
    bool umtx_keys = false;   // umtx_owner_gone wants to know of its end

    static bool valid_range(std::uint64_t start, std::uint64_t length) {
        return length <= user_address_end && start <= user_address_end - length;
    }
    /// Takes addresses out of the page tables; vm::Object and the map use it.
    void forget(vm::MapEntry& entry, std::uint64_t start, std::uint64_t end);
    void forget_translations();

private:
    struct Translation {
        std::uint64_t tag = 0; // page address | 1
        std::byte* page = nullptr;
        bool writable = false;
    };

    static std::size_t translation_bytes() {
        return sizeof(Translation) * translation_slots * lwkt::cpu_count();
    }
    VmSpace() = default;
    ~VmSpace() = default;
    void destroy();

    // vm/fault.cpp
    struct Run {
        std::uint64_t start = 0, pages = 0; // first address; none if 0
    };
    FaultResult resolve(vm::MapEntry& entry, std::uint64_t page, bool write, vm::Frame& frame, Run& filled);
    bool prepare_object(vm::MapEntry& entry);
    bool prepare_write(vm::MapEntry& entry);
    FaultResult fill(vm::MapEntry& entry, std::uint64_t page, const vm::Frame& from, vm::Frame& frame,
                     Run& filled);
    Run run_to_fill(vm::MapEntry& entry, std::uint64_t page, vm::Frame::Place place) const;
    FaultResult map_window(vm::MapEntry& entry, std::uint64_t page, const vm::Frame& frame,
                           const Run& filled);
    vm::MapEntry* grow_stack(std::uint64_t address);
    std::byte* translate_slow(std::uint64_t address, bool write);
    Translation& translation(lwkt::CpuId cpu, std::uint64_t address) const {
        return translations_[cpu.value * translation_slots + (address >> vm::page_shift) % translation_slots];
    }
    void forget_translation(std::uint64_t address) {
        for (std::uint32_t cpu = 0; cpu != lwkt::cpu_count(); ++cpu)
            translation(lwkt::CpuId{cpu}, address).tag = 0;
    }

    // vm/vmspace.cpp
    static PageTables* make_tables();
    static PageTables* take_tables();
    static bool drop_kept_tables();
    void give_tables();
    void write_protect(vm::MapEntry& entry);
    bool map_hardware(std::uint64_t address, const vm::Frame& frame, std::uint64_t pages,
                      glue::Access access);
    vm::MapEntry* lookup(std::uint64_t address);
    bool reserve_entries(unsigned count);
    vm::MapEntry* new_entry();
    void free_entry(vm::MapEntry* entry);
    void release_spare_entries();
    void split(vm::MapEntry& entry, std::uint64_t address);
    vm::MapEntry* clip_range(std::uint64_t start, std::uint64_t end);
    void remove_range(std::uint64_t start, std::uint64_t end);
    void note_resident();
    bool extend_previous(const MapRequest& request, std::uint64_t start, std::uint64_t end);
    std::uint64_t find_room(std::uint64_t from, std::uint64_t length, unsigned align_shift,
                            std::uint64_t limit = user_address_end) const;
    std::uint64_t choose_address(const MapRequest& request, std::uint64_t length) const;
    bool copy_entry(vm::MapEntry& entry, VmSpace& child);
    bool copy_pages(vm::MapEntry& entry, vm::MapEntry& copy);
    void map_own_pages(vm::MapEntry& entry);

    PageTables* tables_ = nullptr;
    // Of each vCPU, which alone fills and uses its own, with giant in any mode; who holds giant exclusively
    // takes from all.
    Translation* translations_ = nullptr;
    vm::MapTree tree_;
    vm::MapEntry* last_ = nullptr;  // found by the last lookup
    vm::MapEntry* spare_ = nullptr; // reserved entries, linked by next
    std::uint32_t references_ = 1;
    unsigned spares_ = 0;
    MapLayout layout_;
    std::uint64_t break_ = 0;
    std::uint64_t stack_top_ = 0, stack_low_ = 0; // room of the main stack, which mmap keeps out of
    VmCounters counters_;
};

} // namespace bsd
