// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/stack_image.hpp"

#include <cstring>

namespace bsd {

namespace {

constexpr unsigned most_entries = 48;

struct PsStrings {
    std::uint64_t argv;
    std::uint32_t argc, padding1;
    std::uint64_t envp;
    std::uint32_t envc, padding2;
};
static_assert(sizeof(PsStrings) == 32);

// Collects words so that the vectors go out in few writes.
class WordStream {
public:
    WordStream(StackWriter& writer, std::uint64_t address) : writer_(writer), address_(address) {}
    SysResult<void> add(std::uint64_t word) {
        words_[count_++] = word;
        return count_ == capacity ? flush() : SysResult<void>();
    }
    SysResult<void> flush() {
        unsigned size = count_ * 8;
        count_ = 0;
        std::uint64_t at = address_;
        address_ += size;
        return size ? writer_.put(at, words_, size) : SysResult<void>();
    }

private:
    static constexpr unsigned capacity = 32;
    StackWriter& writer_;
    std::uint64_t address_;
    unsigned count_ = 0;
    std::uint64_t words_[capacity];
};

} // namespace

SysResult<StackLayout> build_stack_image(const ExecImage& image, const StackRecipe& recipe,
                                         StackWriter& writer) {
    StackLayout layout;
    std::uint64_t at = recipe.top;
    if (image.path.size != 0) {
        at = (at - (image.path.size + 1)) & ~std::uint64_t{7};
        layout.execpath = at;
        TRY(writer.put(at, image.path.data, image.path.size));
        TRY(writer.put(at + image.path.size, "", 1));
    }
    if (recipe.canary) {
        at -= sizeof image.canary;
        layout.canary = at;
        TRY(writer.put(at, image.canary, sizeof image.canary));
    }
    if (recipe.pagesizes) {
        const std::uint64_t sizes[3] = {4096, 0, 0};
        at -= sizeof sizes;
        layout.pagesizes = at;
        TRY(writer.put(at, sizes, sizeof sizes));
    }
    at -= recipe.spare;
    at = (at - image.strings_size) & ~std::uint64_t{7};
    const std::uint64_t strings = at;
    TRY(writer.put(strings, image.strings, image.strings_size));

    std::uint64_t vectors = (std::uint64_t{1} + image.argument_count + 1 + image.environment_count + 1) * 8 +
                            std::uint64_t{recipe.reserve} * sizeof(AuxiliaryEntry);
    layout.argument_block = (strings - vectors) & ~std::uint64_t{15};
    layout.argv = layout.argument_block + 8;
    layout.envp = layout.argv + (std::uint64_t{image.argument_count} + 1) * 8;

    WordStream words(writer, layout.argument_block);
    TRY(words.add(image.argument_count));
    std::uint64_t offset = 0;
    for (std::uint32_t i = 0; i < image.argument_count + image.environment_count; i++) {
        if (i == image.argument_count)
            TRY(words.add(0));
        if (offset >= image.strings_size)
            return Failure(Errno::e2big);
        TRY(words.add(strings + offset));
        while (offset < image.strings_size && image.strings[offset] != 0)
            offset++;
        offset++;
    }
    if (image.environment_count == 0)
        TRY(words.add(0));
    TRY(words.add(0));
    AuxiliaryEntry entries[most_entries];
    unsigned count = recipe.fill(image, layout, entries);
    for (unsigned i = 0; i < count; i++) {
        TRY(words.add(entries[i].type));
        TRY(words.add(entries[i].value));
    }
    TRY(words.flush());
    PsStrings ps{layout.argv, image.argument_count, 0, layout.envp, image.environment_count, 0};
    TRY(writer.put(recipe.ps_strings, &ps, sizeof ps));
    return layout;
}

void set_entry_registers(glue::UserContext& registers, std::uint64_t start, std::uint64_t argument_block) {
    std::uint64_t cs = registers.cs, ss = registers.ss;
    std::memset(&registers, 0, sizeof registers);
    registers.cs = cs;
    registers.ss = ss;
    registers.rip = start;
    registers.rdi = argument_block;
    registers.rsp = ((argument_block - 8) & ~std::uint64_t{15}) + 8;
    registers.rflags = 0x202;
}

} // namespace bsd
