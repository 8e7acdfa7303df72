// Marks the bytes that mean something in 64 bytes at a time, and walks over the marks.
#include "csv_tokenizer.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace zcmoe::cli {
namespace {

constexpr int block = 64;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Bit i is set if byte i of the word equals c.
std::uint64_t marks_of_word(std::uint64_t word, char c) {
  constexpr std::uint64_t low7 = 0x7F7F7F7F7F7F7F7F;
  const std::uint64_t differs =
      word ^ (0x0101010101010101 * static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  // A byte of `equal` is 0x80 where that of `differs` is 0, else 0: adding 0x7F to the low seven
  // bits sets the top bit unless they are all 0, and carries into no other byte (0x7F + 0x7F =
  // 0xFE).
  const std::uint64_t equal = ~(((differs & low7) + low7) | differs | low7);
  // The product moves bit 8 i to bit 56 + i: bytes 0x80 at 0 and 3 become 0b00001001.
  return (equal >> 7) * 0x0102040810204080 >> 56;
}

int lowest(std::uint64_t marks) { return __builtin_ctzll(marks); }

}  // namespace

byte_marks portable_marks_of(const char* bytes, char delimiter) noexcept {
  byte_marks marks{};
  for (int k = 0; k < block; k += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes + k, sizeof word);
    marks.delimiters |= marks_of_word(word, delimiter) << k;
    marks.quotes |= marks_of_word(word, '"') << k;
    marks.line_ends |= (marks_of_word(word, '\n') | marks_of_word(word, '\r')) << k;
  }
  return marks;
}

byte_marks marks_of(const char* bytes, char delimiter) noexcept {
#if defined(__SSE2__)
  const __m128i delimiters = _mm_set1_epi8(delimiter);
  const __m128i quotes = _mm_set1_epi8('"');
  const __m128i feeds = _mm_set1_epi8('\n');
  const __m128i returns = _mm_set1_epi8('\r');
  const auto bits = [](__m128i equal) {
    return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(equal)));
  };
  byte_marks marks{};
  for (int k = 0; k < block; k += 16) {
    const __m128i part = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + k));
    marks.delimiters |= bits(_mm_cmpeq_epi8(part, delimiters)) << k;
    marks.quotes |= bits(_mm_cmpeq_epi8(part, quotes)) << k;
    marks.line_ends |=
        bits(_mm_or_si128(_mm_cmpeq_epi8(part, feeds), _mm_cmpeq_epi8(part, returns))) << k;
  }
  return marks;
#else
  return portable_marks_of(bytes, delimiter);
#endif
}

csv_tokenizer::csv_tokenizer(csv_events& events, char delimiter, char comment, bool strict,
                             std::size_t max_fields)
    : events_(events),
      delimiter_(delimiter),
      comment_(comment),
      strict_(strict),
      max_fields_(max_fields) {}

void csv_tokenizer::want(std::vector<std::size_t> columns, std::size_t max_fields) {
  columns_ = std::move(columns);
  max_fields_ = max_fields;
  want_all_ = false;
}

void csv_tokenizer::parse(const char* data, std::size_t size) {
  if (size == 0) return;
  data_ = data;
  size_ = static_cast<position>(size);
  if (row_begins_) begin_row(0);
  position base = 0;
  for (; base + block <= size_; base += block) walk(marks_of(data + base, delimiter_), base);
  if (base < size_) {
    char rest[block] = {};
    std::memcpy(rest, data + base, static_cast<std::size_t>(size_ - base));
    walk(marks_of(rest, delimiter_), base);
  }
  if (field_number_ >= max_fields_) events_.row_too_wide(row_line_);
  if (state_ != state::comment) {
    settle(size_);
    if (wanted()) carry(state_ >= state::closing ? close_ : size_);
  }
  // Seen from the next piece, this one lies at negative positions.
  begin_ -= size_;
  close_ -= size_;
  after_cr_ -= size_;
  size_ = 0;
}

void csv_tokenizer::finish() {
  if (state_ == state::quoted) fail_quote(quote_fault::not_closed, quote_line_);
  if (state_ != state::comment && !row_begins_) end_row(0);
}

/// Walks over what is marked in the block that begins at base.
void csv_tokenizer::walk(const byte_marks& marks, position base) {
  std::uint64_t ahead = ~std::uint64_t{0};
  for (;;) {
    const std::uint64_t stops = (marks.quotes | marks.line_ends) & ahead;
    std::uint64_t next = stops;
    if (state_ == state::comment) {
      next = marks.line_ends & ahead;
    } else {
      std::uint64_t delimiters = marks.delimiters & ahead;
      if (state_ <= state::plain && !wanted()) {
        const std::uint64_t before = stops != 0 ? (stops & (~stops + 1)) - 1 : ~std::uint64_t{0};
        const std::uint64_t left = skip_unwanted(delimiters & before, base);
        delimiters = left | (delimiters & ~before);
      }
      next |= delimiters;
    }
    if (next == 0) return;
    const int bit = lowest(next);
    const position p = base + bit;
    ahead = bit == block - 1 ? 0 : ~std::uint64_t{0} << (bit + 1);
    if ((marks.line_ends >> bit & 1) != 0) {
      take_line_end(p);
    } else if ((marks.quotes >> bit & 1) != 0) {
      take_quote(p);
    } else {
      take_delimiter(p);
    }
  }
}

/// Skips delimiters up to the one before the wanted field, or all of them if it lies farther on.
/// Returns those that were not skipped.
std::uint64_t csv_tokenizer::skip_unwanted(std::uint64_t delimiters, position base) {
  const std::size_t target = next_ < columns_.size() ? columns_[next_] : all_columns;
  std::uint64_t last = 0;
  while (delimiters != 0 && field_number_ < target) {
    last = delimiters;
    delimiters &= delimiters - 1;
    ++field_number_;
  }
  if (last != 0) begin_field(base + lowest(last) + 1);
  return delimiters;
}

void csv_tokenizer::take_quote(position p) {
  if (state_ == state::fresh && blank(begin_, p)) {
    state_ = state::quoted;
    quote_line_ = line_;
    carried_.clear();
    begin_ = p + 1;
    return;
  }
  if (state_ == state::quoted) {
    state_ = state::closing;
    close_ = p;
    return;
  }
  if (state_ == state::closing && p == close_ + 1) {
    // The quote that ended an earlier piece was not carried with the field; it belongs to the text.
    if (close_ < 0 && wanted()) carried_ += '"';
    state_ = state::quoted;
    doubled_ = true;
    return;
  }
  if (state_ == state::closing || state_ == state::closed)
    fail_quote(quote_fault::text_after_quote, quote_line_);
  state_ = state::plain;
  if (strict_) fail_quote(quote_fault::quote_in_text, line_);
}

void csv_tokenizer::take_delimiter(position p) {
  if (state_ == state::quoted) {
    ++quoted_delimiters_;
    return;
  }
  settle(p);
  end_field(p);
  ++field_number_;
  begin_field(p + 1);
}

void csv_tokenizer::take_line_end(position p) {
  const bool second_of_two = p == after_cr_ && data_[p] == '\n';
  if (data_[p] == '\r') after_cr_ = p + 1;
  if (!second_of_two) ++line_;
  if (state_ == state::quoted) {
    if (second_of_two) return;
    end_line_in_row();
    spans_lines_ = true;
    return;
  }
  if (!second_of_two && state_ != state::comment) end_row(p);
  begin_row(p + 1);
}

/// Notes how many delimiters the line that ends here has, or -1 if another line of the row has a
/// different number.
void csv_tokenizer::end_line_in_row() {
  const auto delimiters =
      static_cast<std::int64_t>(field_number_ - line_first_field_) + quoted_delimiters_;
  const bool first = !spans_lines_;
  delimiters_a_line_ = first || delimiters_a_line_ == delimiters ? delimiters : -1;
  line_first_field_ = field_number_;
  quoted_delimiters_ = 0;
}

/// Brings the state up to date with the bytes before p, none of which is marked: text behind blanks
/// makes a field plain, text behind a closing quote is a fault.
void csv_tokenizer::settle(position p) {
  if (state_ == state::fresh && !blank(begin_, p)) state_ = state::plain;
  if (state_ == state::closing && p > close_ + 1) state_ = state::closed;
  if (state_ == state::closed && !blank(close_ + 1, p))
    fail_quote(quote_fault::text_after_quote, quote_line_);
}

void csv_tokenizer::end_field(position p) {
  if (!wanted()) return;
  const bool in_quotes = state_ >= state::closing;
  const position end = in_quotes ? close_ : p;
  std::string_view content;
  if (carried_.empty()) {
    content = between(begin_, end);
  } else {
    carry(end);
    content = carried_;
  }
  if (in_quotes && doubled_) {
    unquoted_.clear();
    for (std::size_t i = 0; i < content.size(); ++i) {
      unquoted_ += content[i];
      if (content[i] == '"') ++i;
    }
    content = unquoted_;
  }
  events_.field(want_all_ ? field_number_ : next_, content);
  carried_.clear();
  ++next_;
}

void csv_tokenizer::end_row(position p) {
  settle(p);
  const bool last_empty = state_ == state::fresh || (state_ >= state::closing && close_ == begin_);
  const bool blank_line = field_number_ == 0 && state_ == state::fresh;
  if (!blank_line) end_field(p);
  carried_.clear();
  if (spans_lines_) end_line_in_row();
  events_.row({blank_line ? 0 : field_number_ + 1, row_line_, last_empty, spans_lines_,
               spans_lines_ ? delimiters_a_line_ : -1});
}

void csv_tokenizer::begin_field(position p) {
  state_ = state::fresh;
  doubled_ = false;
  begin_ = p;
}

void csv_tokenizer::begin_row(position p) {
  begin_field(p);
  field_number_ = 0;
  next_ = 0;
  row_line_ = line_;
  spans_lines_ = false;
  line_first_field_ = 0;
  quoted_delimiters_ = 0;
  row_begins_ = p == size_;
  if (!row_begins_ && comment_ != '\0' && data_[p] == comment_) state_ = state::comment;
}

/// Keeps the bytes of a wanted field that lie in this piece, which ends before the field does.
void csv_tokenizer::carry(position end) {
  carried_ += between(begin_, end);
  if (carried_.size() > max_field) events_.field_too_long(row_line_, field_number_);
}

/// The bytes of the piece from begin to end.
std::string_view csv_tokenizer::between(position begin, position end) const {
  begin = std::max<position>(begin, 0);
  return end > begin ? std::string_view(data_ + begin, static_cast<std::size_t>(end - begin))
                     : std::string_view();
}

bool csv_tokenizer::blank(position begin, position end) const {
  const std::string_view bytes = between(begin, end);
  return std::all_of(bytes.begin(), bytes.end(), is_blank);
}

void csv_tokenizer::fail_quote(quote_fault fault, std::int64_t line) {
  constexpr position shown = 64;
  const position start = state_ == state::plain ? begin_ : begin_ - 1;
  events_.fault(fault, line, field_number_, between(start, std::min(start + shown, size_)));
  std::terminate();  // reached only if fault() returns, which it must not
}

}  // namespace zcmoe::cli
