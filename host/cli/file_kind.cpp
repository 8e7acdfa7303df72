// First bytes as their specifications give them; see also file(1).
#include "file_kind.hpp"

#include "failure.hpp"

#include <optional>

namespace zcmoe::cli {
namespace {

using namespace std::string_view_literals;

enum class remedy { decompress, unpack, save_as_utf8, pandas, none };

struct known_kind {
  std::string_view start;
  const char* name;
  remedy helps;
  const char* with;  // the program, or the function of pandas
};

constexpr std::string_view zip_start = "PK\x03\x04";

constexpr known_kind known_kinds[] = {
    {"\x1F\x8B"sv, "gzip data", remedy::decompress, "gunzip -c"},
    {"\x1F\x9D"sv, "compress (.Z) data", remedy::decompress, "gunzip -c"},
    {"BZh"sv, "bzip2 data", remedy::decompress, "bunzip2 -c"},
    {"\xFD"
     "7zXZ\0"sv,
     "xz data", remedy::decompress, "xz -dc"},
    {"\x28\xB5\x2F\xFD"sv, "zstd data", remedy::decompress, "zstd -dc"},
    {"\x04\x22\x4D\x18"sv, "lz4 data", remedy::decompress, "lz4 -dc"},
    {"LZIP"sv, "lzip data", remedy::decompress, "lzip -dc"},
    {"7z\xBC\xAF\x27\x1C"sv, "a 7-Zip archive", remedy::decompress, "7z x -so"},
    {zip_start, "a zip archive", remedy::decompress, "unzip -p"},
    {"PK\x05\x06"sv, "an empty zip archive", remedy::none, nullptr},
    {"PAR1"sv, "a Parquet file", remedy::pandas, "read_parquet"},
    {"ARROW1"sv, "an Arrow (Feather) file", remedy::pandas, "read_feather"},
    {"FEA1"sv, "a Feather file", remedy::pandas, "read_feather"},
    {"ORC"sv, "an ORC file", remedy::pandas, "read_orc"},
    {"\x89HDF\r\n\x1A\n"sv, "an HDF5 file", remedy::pandas, "read_hdf"},
    {"\xD0\xCF\x11\xE0"sv, "an Excel (.xls) or other OLE file", remedy::pandas, "read_excel"},
    {"SQLite format 3\0"sv, "an SQLite database", remedy::none, nullptr},
    {"%PDF-"sv, "a PDF file", remedy::none, nullptr},
    {"\x89PNG\r\n"sv, "a PNG picture", remedy::none, nullptr},
    {"\x7F"
     "ELF"sv,
     "a program", remedy::none, nullptr},
    {npy_start, "an NPY file", remedy::none, nullptr},
    {"\xFF\xFE\0\0"sv, "UTF-32 text", remedy::save_as_utf8, "UTF-32"},
    {"\0\0\xFE\xFF"sv, "UTF-32 text", remedy::save_as_utf8, "UTF-32"},
    {"\xFF\xFE"sv, "UTF-16 text", remedy::save_as_utf8, "UTF-16"},
    {"\xFE\xFF"sv, "UTF-16 text", remedy::save_as_utf8, "UTF-16"},
};

bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

/// What a zip archive is, by the name of the first file in it, which begins at byte 30.
known_kind kind_of_zip(known_kind zip, std::string_view start) {
  const std::string_view entry = start.size() > 30 ? start.substr(30) : std::string_view();
  const std::size_t npy = entry.find(".npy");
  if (npy != std::string_view::npos)
    return {zip.start, "an NPZ archive", remedy::unpack, "give the NPY files in it"};
  for (const std::string_view name :
       {"[Content_Types].xml"sv, "_rels/"sv, "docProps/"sv, "xl/"sv}) {
    if (begins_with(entry, name))
      return {zip.start, "an Excel workbook (.xlsx)", remedy::pandas, "read_excel"};
  }
  if (begins_with(entry, "mimetype"))
    return {zip.start, "an OpenDocument file", remedy::pandas, "read_excel"};
  return zip;
}

std::optional<known_kind> kind_of(std::string_view start) {
  for (const known_kind& kind : known_kinds) {
    if (!begins_with(start, kind.start)) continue;
    return begins_with(start, zip_start) ? kind_of_zip(kind, start) : kind;
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const known_kind& kind, const std::string& name) {
  const bool piped = name == "standard input";
  const std::string file = piped ? std::string() : " " + name;
  switch (kind.helps) {
    case remedy::decompress:
      fail(name, ": this is ", kind.name, ", not CSV text: ", kind.with, file, " | zcmoe ... -");
    case remedy::unpack: fail(name, ": this is ", kind.name, ": unzip it and ", kind.with);
    case remedy::save_as_utf8:
      fail(name, ": this is ", kind.name, ": save it as UTF-8, or iconv -f ", kind.with,
           " -t UTF-8", file, " | zcmoe ... -");
    case remedy::pandas:
      fail(name, ": this is ", kind.name, ", not CSV text: python3 -c 'import pandas, sys; pandas.",
           kind.with, "(sys.argv[1]).to_csv(sys.stdout, index=False)'", piped ? " FILE" : file,
           " | zcmoe ... -");
    case remedy::none: break;
  }
  fail(name, ": this is ", kind.name, ", not CSV text");
}

}  // namespace

std::string kind_in_words(std::string_view start) {
  const auto kind = kind_of(start);
  return kind.has_value() ? kind->name : "";
}

bool could_be_binary(std::string_view start) {
  if (begins_with(start, zip_start)) return start.size() < 64;
  // A model file begins with 8 bytes of length, whose upper ones are null, and JSON. Whether there
  // are null bytes shows in three bytes; a line that ends before is text.
  if (start.size() < 3) return start.find('\n', 1) == std::string_view::npos;
  if (start.size() < 10 && start.find('\0') != std::string_view::npos) return true;
  for (const known_kind& kind : known_kinds) {
    if (start.size() < kind.start.size() && begins_with(kind.start, start)) return true;
  }
  return false;
}

void refuse_binary(std::string_view start, const std::string& name) {
  if (const auto kind = kind_of(start)) refuse(*kind, name);
  if (start.size() >= 10 && start.substr(8, 2) == "{\"" && start.find('\0') < 8)
    fail(name, ": this is a model file (safetensors), not CSV text");
}

void refuse_null_byte(std::string_view line, const std::string& name, long long line_number) {
  const std::size_t place = line.find('\0');
  if (place == std::string_view::npos) return;
  // In UTF-16 each Latin letter, digit or delimiter has one null byte: the second of its two bytes
  // in UTF-16LE ("x," is 78 00 2C 00), the first in UTF-16BE.
  std::size_t on_side[2] = {0, 0};
  for (std::size_t i = 0; i < line.size(); ++i) on_side[i % 2] += line[i] == '\0' ? 1 : 0;
  const bool one_side = on_side[0] == 0 || on_side[1] == 0;
  if (one_side && 3 * (on_side[0] + on_side[1]) >= line.size()) {
    refuse({{}, "UTF-16 text", remedy::save_as_utf8, on_side[0] == 0 ? "UTF-16LE" : "UTF-16BE"},
           name);
  }
  fail(name, ", line ", line_number, ": a null byte: this is no text, so no CSV file");
}

}  // namespace zcmoe::cli
