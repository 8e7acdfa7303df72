// Runs a libFuzzer target without libFuzzer: every file of the folders named, then random changes
// of them.
//   fuzz_... [--runs N] [--seed S] [--keep FILE] FOLDER_OR_FILE ...
// The same seed gives the same inputs. --keep writes each input before it runs, so that a crash
// leaves its cause.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void run(const std::string& bytes, const std::string& keep) {
  if (!keep.empty()) std::ofstream(keep, std::ios::binary) << bytes;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

class mutator {
 public:
  explicit mutator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(random_() % limit);
  }

  /// One to eight changes: bits, bytes, digits of the header, 8-byte values of the data, pieces
  /// moved, cut or taken from another input.
  void change(std::string& bytes, const std::string& other) {
    for (std::size_t k = 1 + below(below(4) == 0 ? 8 : 2); k > 0; --k) change_once(bytes, other);
  }

 private:
  void change_once(std::string& bytes, const std::string& other) {
    if (bytes.empty()) bytes = other;
    const std::size_t at = below(bytes.size());
    switch (below(9)) {
      case 0:
        bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1u << below(8)));
        break;
      case 1: bytes[at] = static_cast<char>(below(256)); break;
      case 2: change_digit(bytes); break;
      case 3:
      case 4: set_value(bytes); break;
      case 5: bytes.erase(at, 1 + below(16)); break;
      case 6: bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(32))); break;
      case 7: {
        const std::string piece = other.substr(below(other.size()), 1 + below(64));
        bytes.replace(at, piece.size(), piece);
        break;
      }
      default: bytes.resize(at); break;
    }
  }

  /// Another digit in place of one of the text's.
  void change_digit(std::string& bytes) {
    const std::size_t at = bytes.find_first_of("0123456789", below(bytes.size()));
    if (at != std::string::npos) bytes[at] = static_cast<char>('0' + below(10));
  }

  /// A telling value in an aligned place behind the header.
  void set_value(std::string& bytes) {
    std::uint64_t length = 0;
    if (bytes.size() < 24) return;
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > bytes.size() - 16) return;
    const std::size_t first = 8 + static_cast<std::size_t>(length);
    const std::size_t at = first + 8 * below((bytes.size() - first) / 8);
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    const std::uint64_t telling[] = {0,
                                     1,
                                     ~std::uint64_t{0},
                                     std::uint64_t{1} << 63,
                                     (std::uint64_t{1} << 63) - 1,
                                     std::uint64_t{1} << 31,
                                     std::uint64_t{1} << 32,
                                     std::uint64_t{1} << 61,
                                     0x7ff0000000000000u,
                                     0xfff0000000000000u,
                                     0x7ff8000000000000u,
                                     0x7ff0000000000001u,
                                     value + 1,
                                     value - 1,
                                     0 - value,
                                     value * 2,
                                     value / 2,
                                     random_()};
    value = telling[below(std::size(telling))];
    std::memcpy(&bytes[at], &value, sizeof value);
  }

  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::string keep;
  std::vector<std::string> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--", 0) == 0) {
      if (i + 1 == argc) return std::fprintf(stderr, "%s needs a value\n", argv[i]), 2;
      const std::string value = argv[++i];
      if (argument == "--runs") {
        runs = std::strtoull(value.c_str(), nullptr, 10);
      } else if (argument == "--seed") {
        seed = std::strtoull(value.c_str(), nullptr, 10);
      } else if (argument == "--keep") {
        keep = value;
      } else {
        return std::fprintf(stderr, "unknown option %s\n", argument.c_str()), 2;
      }
    } else if (fs::is_directory(argument)) {
      std::vector<fs::path> paths;
      for (const auto& entry : fs::directory_iterator(argument)) paths.push_back(entry.path());
      std::sort(paths.begin(), paths.end());
      for (const fs::path& path : paths) corpus.push_back(read_file(path));
    } else {
      corpus.push_back(read_file(argument));
    }
  }
  if (corpus.empty()) return std::fprintf(stderr, "no input: name a corpus folder\n"), 2;

  for (const std::string& bytes : corpus) run(bytes, keep);
  mutator mutate(seed);
  for (std::uint64_t k = 0; k < runs; ++k) {
    std::string bytes = corpus[mutate.below(corpus.size())];
    mutate.change(bytes, corpus[mutate.below(corpus.size())]);
    run(bytes, keep);
  }
  std::printf("%zu inputs of the corpus and %llu changed ones: no finding\n", corpus.size(),
              static_cast<unsigned long long>(runs));
  return 0;
}
