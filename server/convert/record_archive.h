// Structs of the model into and out of messages that mirror them. One Visit(archive, struct) per
// struct (record_fields.h) names each field once for both directions, which is why the archives
// reach the messages' fields by reflection.
#ifndef VUFD_SERVER_CONVERT_RECORD_ARCHIVE_H_
#define VUFD_SERVER_CONVERT_RECORD_ARCHIVE_H_

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/convert/convert.h"
#include "server/convert/record_enums.h"
#include "server/model/evidence.h"

namespace vuf::record {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Where every message that stands for a list has it.
inline constexpr int kEntriesFieldNumber = 1;

template <typename T>
concept Enum = std::is_enum_v<T>;

// What a list's entry is read into: a map's own has a constant key.
template <typename T>
struct EntryOf {
  using Type = T;
};
template <typename K, typename V>
struct EntryOf<std::pair<const K, V>> {
  using Type = std::pair<K, V>;
};

// vector, set or map; a string is none.
template <typename T>
concept List = requires(T list) {
  list.begin();
}
&&!std::same_as<T, std::string>;

// An entry of a map.
template <typename Archive, typename K, typename V>
void Visit(Archive& archive, std::pair<K, V>& entry) {
  archive(1, entry.first);
  archive(2, entry.second);
}
template <typename Archive, typename K, typename V>
void Visit(Archive& archive, const std::pair<K, V>& entry) {
  archive(1, entry.first);
  archive(2, entry.second);
}

// Puts fields into an empty message.
class Writer {
 public:
  explicit Writer(Message& message) : message_(message), reflection_(*message.GetReflection()) {}

  void operator()(int number, bool value) { reflection_.SetBool(&message_, Field(number), value); }
  void operator()(int number, int32_t value) {
    reflection_.SetInt32(&message_, Field(number), value);
  }
  void operator()(int number, uint32_t value) {
    reflection_.SetUInt32(&message_, Field(number), value);
  }
  void operator()(int number, uint64_t value) {
    reflection_.SetUInt64(&message_, Field(number), value);
  }
  void operator()(int number, const std::string& value) {
    reflection_.SetString(&message_, Field(number), value);
  }
  void operator()(int number, absl::Time value) {
    if (value == absl::InfinitePast()) return;
    reflection_.MutableMessage(&message_, Field(number))->CopyFrom(ToProto(value));
  }
  void operator()(int number, absl::Duration value) {
    reflection_.MutableMessage(&message_, Field(number))->CopyFrom(ToProto(value));
  }
  template <Enum T>
  void operator()(int number, const T& value) {
    // A value that is no enumerator cannot be read either.
    reflection_.SetEnumValue(&message_, Field(number), NumberOf(value).value_or(-1));
  }
  template <typename T>
  void operator()(int number, const std::optional<T>& value) {
    if (value) (*this)(number, *value);
  }
  template <List T>
  void operator()(int number, const T& list) {
    const FieldDescriptor* const field = Field(number);
    if (!field->is_repeated()) {
      Writer inner(*reflection_.MutableMessage(&message_, field));
      inner(kEntriesFieldNumber, list);
      return;
    }
    for (const auto& entry : list) Add(field, entry);
  }
  template <typename T>
  void operator()(int number, const T& value) {
    Writer inner(*reflection_.MutableMessage(&message_, Field(number)));
    Visit(inner, value);
  }

 private:
  const FieldDescriptor* Field(int number) const {
    return message_.GetDescriptor()->FindFieldByNumber(number);
  }
  void Add(const FieldDescriptor* field, const std::string& entry) {
    reflection_.AddString(&message_, field, entry);
  }
  template <typename T>
  void Add(const FieldDescriptor* field, const T& entry) {
    Writer inner(*reflection_.AddMessage(&message_, field));
    Visit(inner, entry);
  }

  Message& message_;
  const Reflection& reflection_;
};

// Takes fields out of a message. The first that is wrong becomes `status`; what has been read is
// then worth nothing.
class Reader {
 public:
  // `path` is how errors name the message.
  Reader(const Message& message, std::string path, absl::Status& status)
      : message_(message),
        reflection_(*message.GetReflection()),
        path_(std::move(path)),
        status_(status) {}

  void operator()(int number, bool& value) {
    if (Require(number)) value = reflection_.GetBool(message_, Field(number));
  }
  void operator()(int number, int32_t& value) {
    if (Require(number)) value = reflection_.GetInt32(message_, Field(number));
  }
  void operator()(int number, uint32_t& value) {
    if (Require(number)) value = reflection_.GetUInt32(message_, Field(number));
  }
  void operator()(int number, uint64_t& value) {
    if (Require(number)) value = reflection_.GetUInt64(message_, Field(number));
  }
  void operator()(int number, std::string& value) {
    if (Require(number)) value = reflection_.GetString(message_, Field(number));
  }
  void operator()(int number, absl::Time& value) {
    value = absl::InfinitePast();
    if (!Has(number)) return;
    google::protobuf::Timestamp time;
    time.CopyFrom(reflection_.GetMessage(message_, Field(number)));
    value = FromProto(time);
    const google::protobuf::Timestamp again = ToProto(value);
    if (again.seconds() != time.seconds() || again.nanos() != time.nanos()) {
      Fail(number, "is no valid time");
    }
  }
  void operator()(int number, absl::Duration& value) {
    if (!Require(number)) return;
    google::protobuf::Duration duration;
    duration.CopyFrom(reflection_.GetMessage(message_, Field(number)));
    value = FromProto(duration);
  }
  template <Enum T>
  void operator()(int number, T& value) {
    if (!Require(number)) return;
    const int recorded = reflection_.GetEnumValue(message_, Field(number));
    const std::optional<T> known = EnumeratorOf<T>(recorded);
    if (!known) Fail(number, absl::StrCat("has the value ", recorded, ", unknown to this vufd"));
    value = known.value_or(T());
  }
  template <typename T>
  void operator()(int number, std::optional<T>& value) {
    if (Has(number)) {
      // Not emplace(): clang 14 takes a nested struct with initializers for not constructible.
      (*this)(number, value.emplace(T()));
      return;
    }
    value.reset();
    const auto* const choice = Field(number)->real_containing_oneof();
    if (choice == nullptr || !reflection_.HasOneof(message_, choice)) return;
    Fail(number,
         absl::StrCat("is missing, ", reflection_.GetOneofFieldDescriptor(message_, choice)->name(),
                      " is set instead"));
  }
  template <List T>
  void operator()(int number, T& list) {
    const FieldDescriptor* const field = Field(number);
    if (!field->is_repeated()) {
      if (!Require(number)) return;
      Reader inner(reflection_.GetMessage(message_, field), Path(field), status_);
      inner(kEntriesFieldNumber, list);
      return;
    }
    list.clear();
    const int size = reflection_.FieldSize(message_, field);
    for (int i = 0; i < size; ++i) {
      typename EntryOf<typename T::value_type>::Type entry;
      Get(field, i, entry);
      list.insert(list.end(), std::move(entry));
    }
    if (list.size() != static_cast<size_t>(size)) Fail(number, "has an entry twice");
  }
  // A record of an earlier vufd need not have every fact.
  template <typename T>
  void operator()(int number, Evidence<T>& value) {
    if (!Has(number)) {
      value = Unknown<T>("not in the record");
      return;
    }
    Nested(number, value);
  }
  template <typename T>
  void operator()(int number, T& value) {
    if (Require(number)) Nested(number, value);
  }

 private:
  const FieldDescriptor* Field(int number) const {
    return message_.GetDescriptor()->FindFieldByNumber(number);
  }
  std::string Path(const FieldDescriptor* field) const {
    return absl::StrCat(path_, ".", field->name());
  }
  bool Has(int number) const { return reflection_.HasField(message_, Field(number)); }
  bool Require(int number) {
    if (Has(number)) return true;
    Fail(number, "is missing");
    return false;
  }
  void Fail(int number, absl::string_view why) {
    status_.Update(absl::DataLossError(absl::StrCat(Path(Field(number)), " ", why)));
  }
  void Get(const FieldDescriptor* field, int index, std::string& entry) {
    entry = reflection_.GetRepeatedString(message_, field, index);
  }
  template <typename T>
  void Get(const FieldDescriptor* field, int index, T& entry) {
    Reader inner(reflection_.GetRepeatedMessage(message_, field, index),
                 absl::StrCat(Path(field), "[", index, "]"), status_);
    Visit(inner, entry);
  }
  template <typename T>
  void Nested(int number, T& value) {
    const FieldDescriptor* const field = Field(number);
    Reader inner(reflection_.GetMessage(message_, field), Path(field), status_);
    Visit(inner, value);
  }

  const Message& message_;
  const Reflection& reflection_;
  const std::string path_;
  absl::Status& status_;
};

}  // namespace vuf::record

#endif  // VUFD_SERVER_CONVERT_RECORD_ARCHIVE_H_
