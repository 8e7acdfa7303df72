// CSV text is written row by row; an NPY array needs the number of rows in front of it.
#include "prediction_writer.hpp"

#include "descriptor.hpp"
#include "failure.hpp"
#include "input_file.hpp"
#include "npy_file.hpp"
#include "number.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace zcmoe::cli {
namespace {

constexpr char spool_name[] = "the temporary copy of the output";

class csv_writer final : public prediction_writer {
 public:
  csv_writer(const std::string& path, const writer_options& options)
      : output_(path), options_(options) {
    if (!options_.header) return;
    text_ = "prediction";
    if (options_.segments) text_ += ",segment";
    if (options_.standard_errors) text_ += ",standard_error";
    if (options_.intervals) text_ += ",mean_lower,mean_upper";
    text_ += '\n';
    output_.write(text_);
  }

  void write(const prediction_block& predictions) override {
    for (std::size_t i = 0; i < static_cast<std::size_t>(predictions.rows); ++i) {
      text_.clear();
      if (options_.dtype == ZCMOE_F32) {
        append_shortest(text_, predictions.values_f32[i]);
      } else {
        append_shortest(text_, predictions.values_f64[i]);
      }
      if (options_.segments) append_segment(predictions.segments[i]);
      if (options_.standard_errors) {
        text_ += ',';
        append_shortest(text_, predictions.standard_errors[i]);
      }
      if (options_.intervals) {
        text_ += ',';
        append_shortest(text_, predictions.lower[i]);
        text_ += ',';
        append_shortest(text_, predictions.upper[i]);
      }
      text_ += '\n';
      output_.write(text_);
    }
  }

  void commit() override { output_.commit(); }

 private:
  void append_segment(std::int64_t segment) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), segment).ptr;
    text_ += ',';
    text_.append(digits.data(), end);
  }

  output_file output_;
  writer_options options_;
  std::string text_;
};

class npy_writer final : public prediction_writer {
 public:
  npy_writer(const std::string& path, const writer_options& options, std::int64_t rows)
      : output_(path), options_(options), expected_(rows) {
    // If the number of rows is not known yet, the header is completed at the end. In a file it is
    // written again; a stream gets it at the end, followed by the data from a temporary file.
    if (expected_ < 0 && !output_.is_file()) {
      spool_ = open_unlinked_file();
    } else {
      output_.write(make_npy_header(options_.dtype, std::max<std::int64_t>(expected_, 0)));
    }
  }
  ~npy_writer() override {
    if (spool_ >= 0) ::close(spool_);
  }
  npy_writer(const npy_writer&) = delete;
  npy_writer& operator=(const npy_writer&) = delete;

  void write(const prediction_block& predictions) override {
    const void* const data = options_.dtype == ZCMOE_F32
                                 ? static_cast<const void*>(predictions.values_f32.data())
                                 : static_cast<const void*>(predictions.values_f64.data());
    const auto size = static_cast<std::size_t>(predictions.rows * element_size(options_.dtype));
    rows_ += predictions.rows;
    if (spool_ >= 0) {
      write_all(spool_, static_cast<const char*>(data), size, spool_name);
    } else {
      output_.write(data, size);
    }
  }

  void commit() override {
    const std::string header = make_npy_header(options_.dtype, rows_);
    if (spool_ >= 0) {
      output_.write(header);
      copy_spool();
    } else if (expected_ < 0) {
      output_.rewrite_start(header);
    }
    output_.commit();
  }

 private:
  void copy_spool() {
    if (::lseek(spool_, 0, SEEK_SET) < 0) fail_errno(spool_name);
    std::vector<char> buffer(std::size_t{1} << 18);
    while (const std::size_t got = read_some(spool_, buffer.data(), buffer.size(), spool_name)) {
      output_.write(buffer.data(), got);
    }
  }

  output_file output_;
  writer_options options_;
  std::int64_t expected_;
  std::int64_t rows_ = 0;
  int spool_ = -1;
};

}  // namespace

std::unique_ptr<prediction_writer> make_csv_writer(const std::string& path,
                                                   const writer_options& options) {
  return std::make_unique<csv_writer>(path, options);
}

std::unique_ptr<prediction_writer> make_npy_writer(const std::string& path,
                                                   const writer_options& options,
                                                   std::int64_t rows) {
  return std::make_unique<npy_writer>(path, options, rows);
}

}  // namespace zcmoe::cli
