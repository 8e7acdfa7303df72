// The only file that includes CLI11.
#include "parser.hpp"

#include "failure.hpp"

#include <CLI/CLI.hpp>

#include <vector>

namespace zcmoe::cli {

option option::type_name(const std::string& words) const {
  return option(added_->type_name(words));
}

option option::group(const std::string& heading) const { return option(added_->group(heading)); }

option option::required() const { return option(added_->required()); }

option option::capture_default_str() const { return option(added_->capture_default_str()); }

option option::default_str(const std::string& words) const {
  return option(added_->default_str(words));
}

option option::check(const option_reader& reader) const {
  return option(added_->check(reader, ""));
}

option option::check_range(std::int64_t least, std::int64_t most) const {
  return option(added_->check(CLI::Range(least, most)));
}

option option::check_range(double least, double most) const {
  return option(added_->check(CLI::Range(least, most)));
}

option option::excludes(const std::string& other) const { return option(added_->excludes(other)); }

template <class T>
option parser::add_option(const std::string& names, T& target, const std::string& help) {
  return option(app_->add_option(names, target, help));
}
template option parser::add_option(const std::string&, std::string&, const std::string&);
template option parser::add_option(const std::string&, std::vector<std::string>&,
                                   const std::string&);
template option parser::add_option(const std::string&, std::int32_t&, const std::string&);
template option parser::add_option(const std::string&, std::int64_t&, const std::string&);
template option parser::add_option(const std::string&, std::uint64_t&, const std::string&);
template option parser::add_option(const std::string&, double&, const std::string&);
template option parser::add_option(const std::string&, std::optional<std::int64_t>&,
                                   const std::string&);
template option parser::add_option(const std::string&, std::optional<double>&, const std::string&);

option parser::add_option_function(const std::string& name, const option_reader& reader,
                                   const std::string& help) {
  return option(app_->add_option_function<std::string>(
      name,
      [name, reader](const std::string& given) {
        const std::string refusal = reader(given);
        if (!refusal.empty()) throw CLI::ValidationError(name, refusal);
      },
      help));
}

option parser::add_repeatable(const std::string& name, const option_reader& reader,
                              const std::string& help) {
  CLI::Option* const added = app_->add_option(
      name,
      [name, reader](const CLI::results_t& all) {
        for (const std::string& given : all) {
          const std::string refusal = reader(given);
          if (!refusal.empty()) throw CLI::ValidationError(name, refusal);
        }
        return true;
      },
      help);
  added->type_size(1)->expected(1, CLI::detail::expected_max_vector_size);
  added->allow_extra_args(false);  // the value behind the first may be a positional one
  return option(added);
}

option parser::add_flag(const std::string& names, bool& target, const std::string& help) {
  return option(app_->add_flag(names, target, help));
}

option parser::add_flag_callback(const std::string& name, const std::function<void()>& callback,
                                 const std::string& help) {
  return option(app_->add_flag_callback(name, callback, help));
}

void parser::footer(const std::string& words) { app_->footer(words); }

bool parser::given(const std::string& name) const { return app_->count(name) > 0; }

bool parser::parsed() const { return app_->parsed(); }

command_line::command_line(const std::string& name, const std::string& description,
                           const std::string& footer)
    : app_(std::make_unique<CLI::App>(description, name)) {
  app_->require_subcommand(0, 1);  // none is allowed here, so that an unknown word is what is said
  app_->footer(footer);
}

command_line::~command_line() = default;

void command_line::set_version_flag(const std::string& name,
                                    const std::function<std::string()>& version,
                                    const std::string& help) {
  app_->set_version_flag(name, version, help);
}

parser command_line::add_subcommand(const std::string& name, const std::string& description) {
  return parser(app_->add_subcommand(name, description));
}

std::optional<std::string> command_line::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return app_->help();  // of the subcommand, if one was named
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what()) + "\n";
  } catch (const CLI::ParseError& e) {
    const auto chosen = app_->get_subcommands();
    const std::string command = chosen.empty() ? "" : chosen.front()->get_name() + " ";
    fail_usage(e.what(), " (see ", app_->get_name(), " ", command, "--help)");
  }
  return std::nullopt;
}

}  // namespace zcmoe::cli
