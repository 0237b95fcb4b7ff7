// SPDX-License-Identifier: BSD-2-Clause
#include "box/log.hpp"

#include "box/text_writer.hpp"
#include "glue/console.hpp"

namespace box {

namespace {
char kept[8 << 10];
TextWriter writer(kept, sizeof kept);
} // namespace

void log(proto::Text line) {
    writer << "box: " << line << "\n";
    glue::Console::write("box: ");
    glue::Console::write({line.data, line.size});
    glue::Console::write("\n");
}

proto::Text log_text() {
    return writer.text();
}

} // namespace box
