// SPDX-License-Identifier: BSD-2-Clause
#include "cli/box_config.hpp"

#include "cli/error.hpp"

#include <filesystem>
#include <functional>

namespace cli {

namespace {

struct Token {
    enum Kind { word, punctuation, end } kind = end;
    std::string text;
    unsigned line = 0;
};

class Lexer {
public:
    Lexer(std::string file, const std::string& text) : file_(std::move(file)), text_(text) {}

    Token next() {
        skip_blanks();
        Token token{Token::end, "", line_};
        if (at_ >= text_.size())
            return token;
        const char c = text_[at_];
        if (c == '"' || c == '\'')
            return quoted(c);
        if (std::string("{};,=").find(c) != std::string::npos || (c == '+' && peek(1) == '=')) {
            token.kind = Token::punctuation;
            token.text = c == '+' ? "+=" : std::string(1, c);
            at_ += token.text.size();
            return token;
        }
        token.kind = Token::word;
        while (at_ < text_.size() && std::string(" \t\r\n{};,=\"'").find(text_[at_]) == std::string::npos &&
               !(text_[at_] == '+' && peek(1) == '='))
            token.text += text_[at_++];
        return token;
    }

    [[noreturn]] void fail(unsigned line, const std::string& what) const {
        throw UserError(file_ + ":" + std::to_string(line) + ": " + what);
    }

private:
    [[nodiscard]] char peek(std::size_t ahead) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    void skip_blanks() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\n') {
                line_++;
                at_++;
            } else if (c == ' ' || c == '\t' || c == '\r') {
                at_++;
            } else if (c == '#' || (c == '/' && peek(1) == '/')) {
                while (at_ < text_.size() && text_[at_] != '\n')
                    at_++;
            } else if (c == '/' && peek(1) == '*') {
                const unsigned start = line_;
                for (at_ += 2; !(text_[at_] == '*' && peek(1) == '/'); at_++) {
                    if (at_ >= text_.size())
                        fail(start, "a comment is not closed");
                    line_ += text_[at_] == '\n';
                }
                at_ += 2;
            } else {
                return;
            }
        }
    }

    Token quoted(char quote) {
        Token token{Token::word, "", line_};
        for (at_++; at_ < text_.size() && text_[at_] != quote; at_++) {
            char c = text_[at_];
            if (c == '\n')
                fail(token.line, "a quoted value is not closed on its line");
            if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
                c = text_[++at_];
                c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
            }
            token.text += c;
        }
        if (at_++ >= text_.size())
            fail(token.line, "a quoted value is not closed on its line");
        return token;
    }

    std::string file_;
    std::string text_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
};

struct Setting {
    std::string key;
    std::vector<std::string> values;
    bool adds = false; ///< +=
    unsigned line = 0;
};

class Parser {
public:
    Parser(const std::string& file, const std::string& text)
        : lexer_(file, text), base_(std::filesystem::path(file).parent_path()) {
        advance();
    }

    BoxPlan parse() {
        JailPlan defaults;
        while (token_.kind != Token::end) {
            const Token first = take_word();
            if (first.text == "realtime" && token_.kind == Token::word) {
                const Token name = take_word();
                plan_.tasks.push_back(task(name.text));
            } else if (token_.text == "{" && token_.kind == Token::punctuation) {
                for (const JailPlan& other : plan_.jails)
                    if (other.name == first.text)
                        lexer_.fail(first.line, first.text + ": a second jail of this name");
                JailPlan jail = defaults;
                jail.name = first.text;
                block([&](const Setting& setting) { jail_setting(jail, setting); });
                plan_.jails.push_back(jail);
            } else {
                const Setting setting = rest_of_setting(first);
                if (!box_setting(setting))
                    guarded(setting, [&] { jail_setting(defaults, setting); });
            }
        }
        return plan_;
    }

private:
    void advance() { token_ = lexer_.next(); }

    Token take_word() {
        if (token_.kind != Token::word)
            lexer_.fail(token_.line, token_.kind == Token::end ? "unexpected end of the file"
                                                               : "unexpected " + token_.text);
        Token token = token_;
        advance();
        return token;
    }

    bool accept(const char* punctuation) {
        if (token_.kind != Token::punctuation || token_.text != punctuation)
            return false;
        advance();
        return true;
    }

    Setting rest_of_setting(const Token& key) {
        Setting setting{key.text, {}, false, key.line};
        if (accept(";"))
            return setting;
        setting.adds = accept("+=");
        if (!setting.adds && !accept("="))
            lexer_.fail(key.line, key.text + ": expected '=' or ';'");
        do
            setting.values.push_back(take_word().text);
        while (accept(","));
        if (!accept(";"))
            lexer_.fail(key.line, key.text + ": expected ';' at the end");
        return setting;
    }

    void block(const std::function<void(const Setting&)>& apply) {
        const unsigned start = token_.line;
        if (!accept("{"))
            lexer_.fail(start, "expected {");
        while (!accept("}")) {
            if (token_.kind == Token::end)
                lexer_.fail(start, "the block is not closed");
            const Token key = take_word();
            const Setting setting = rest_of_setting(key);
            guarded(setting, [&] { apply(setting); });
        }
    }

    /// Puts file, line and key in front of what is wrong with a value.
    void guarded(const Setting& setting, const std::function<void()>& apply) {
        try {
            apply();
        } catch (const UserError& error) {
            lexer_.fail(setting.line, error.what());
        }
    }

    static const std::string& single(const Setting& setting) {
        if (setting.values.size() != 1 || setting.adds)
            throw UserError(setting.key + ": exactly one value is wanted");
        return setting.values[0];
    }

    bool box_setting(const Setting& setting) {
        if (setting.key == "icount" && setting.values.empty())
            plan_.icount = true;
        else if (setting.key == "cores")
            guarded(setting, [&] {
                plan_.cpus = static_cast<unsigned>(parse_count("cores", single(setting), 1, 16));
            });
        else
            return false;
        return true;
    }

    void jail_setting(JailPlan& jail, const Setting& s) {
        const auto list = [&](std::vector<std::string>& out) {
            if (!s.adds)
                out.clear();
            out.insert(out.end(), s.values.begin(), s.values.end());
        };
        if (s.key == "path")
            jail.image = (base_ / single(s)).string();
        else if (s.key == "abi")
            jail.abi = single(s);
        else if (s.key == "command")
            list(jail.command);
        else if (s.key == "environment")
            list(jail.environment);
        else if (s.key == "directory")
            jail.directory = single(s);
        else if (s.key == "memory")
            jail.memory = parse_size(s.key, single(s));
        else if (s.key == "cpus")
            jail.cpus = static_cast<unsigned>(parse_count(s.key, single(s), 1, 16));
        else if (s.key == "cpuset")
            for (const auto& value : s.values)
                jail.cores.push_back(static_cast<unsigned>(parse_count(s.key, value, 0, 15)));
        else if (s.key == "share")
            jail.share = static_cast<unsigned>(parse_count(s.key, single(s), 1, 1600));
        else
            throw UserError(
                s.key + ": unknown key (known in a jail: abi, path, command, environment, directory, memory, "
                        "cpus, cpuset, share)");
    }

    RealtimePlan task(const std::string& name) {
        RealtimePlan task;
        task.name = name;
        block([&](const Setting& s) {
            if (s.key == "program")
                task.program = single(s);
            else if (s.key == "period")
                task.period_ns = parse_duration(s.key, single(s));
            else if (s.key == "budget")
                task.budget_ns = parse_duration(s.key, single(s));
            else if (s.key == "priority")
                task.priority = static_cast<unsigned>(parse_count(s.key, single(s), 1, 255));
            else if (s.key == "core")
                task.core = static_cast<unsigned>(parse_count(s.key, single(s), 0, 15));
            else
                throw UserError(s.key +
                                ": unknown key (known in a realtime task: program, period, budget, priority, "
                                "core)");
        });
        return task;
    }

    Lexer lexer_;
    std::filesystem::path base_;
    Token token_;
    BoxPlan plan_;
};

} // namespace

BoxPlan parse_box_config(const std::string& file, const std::string& text) {
    return Parser(file, text).parse();
}

} // namespace cli
