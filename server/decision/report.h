// What the rules have to say, and the only way for them to read a fact.
#ifndef VUFD_SERVER_DECISION_REPORT_H_
#define VUFD_SERVER_DECISION_REPORT_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/decision/catalog.h"
#include "server/decision/rule.h"
#include "server/decision/text.h"
#include "server/decision/world.h"

namespace vuf {

// A fact as read: null when it is unknown, or known too long ago.
template <typename T>
class Read {
 public:
  Read(const char* name, const Evidence<T>* evidence, bool usable)
      : name_(name), evidence_(evidence), usable_(usable) {}

  explicit operator bool() const { return usable_; }
  const T& operator*() const { return *evidence_->value; }
  const T* operator->() const { return &*evidence_->value; }

  CitedFact Cite() const { return CiteAs("", ToText(*evidence_->value)); }
  // A part of it, e.g. one capability.
  CitedFact CiteAs(const std::string& part, std::string value) const {
    return {name_ + (part.empty() ? "" : "." + part),
            std::move(value),
            false,
            evidence_->source,
            evidence_->observed_at,
            evidence_->detail};
  }

 private:
  const char* name_;
  const Evidence<T>* evidence_;
  bool usable_;
};

class Report {
 public:
  struct Entry {
    RegisteredRule rule;
    Subject subject;
    std::string message;
    std::vector<CitedFact> evidence;
  };
  // A fact that a rule needs and cannot have.
  struct Gap {
    Subject subject;
    // Modes of the rules that need it, as bits of Against.
    unsigned against;
    bool stale;
    CitedFact fact;
    // Only a warning rests on it: no refusal.
    bool advisory = false;
    // Place in the table of the rule that asked first.
    size_t order = 0;

    // The same fact of the same subject, with the same consequences.
    bool IsSame(const Gap& other) const {
      return subject.side == other.subject.side && subject.name == other.subject.name &&
             fact.fact == other.fact.fact && advisory == other.advisory;
    }
  };

  // `source_is_record`: see World; facts of the source may then be of any age.
  Report(absl::Time now, absl::Duration max_age, bool source_is_record)
      // Infinite times are what a caller gets who forgot to set them: then nothing is fresh.
      : now_(now == absl::InfiniteFuture() ? absl::InfinitePast() : now),
        max_age_(max_age),
        oldest_(now_ - max_age),
        source_is_record_(source_is_record) {}

  // All that follows is said by this rule, the `order`th of the table.
  void Begin(const RegisteredRule& rule, size_t order) {
    rule_ = rule;
    order_ = order;
  }

  void Add(const Subject& subject, std::string message, std::vector<CitedFact> evidence = {});
  // Reads a fact. One that is unknown, stale or vouched for by nobody is reported by itself, once,
  // against the modes of the rules that need it; a rule then simply has nothing to judge.
  template <typename T>
  Read<T> Need(const VmView& vm, const VmFact<T>& fact) {
    return Need(vm.subject(), fact.name, vm.facts->*fact.where, fact.empty_says_nothing);
  }
  template <typename T>
  Read<T> Need(const DeviceView& device, const DeviceFact<T>& fact) {
    return Need(device.subject(), fact.name, device.facts->*fact.where, fact.empty_says_nothing);
  }
  template <typename T>
  Read<T> Need(const DeviceView& device, const BackEndFact<T>& fact) {
    return Need(device.subject(), fact.name, device.facts->back_end.*fact.where,
                fact.empty_says_nothing);
  }
  template <typename T>
  Read<T> Need(const Subject& subject, const char* name, const Evidence<T>& evidence,
               bool empty_says_nothing) {
    const bool usable = Usable(subject, name, evidence, empty_says_nothing);
    return Read<T>(name, &evidence, usable);
  }
  // The same for a warning that is no reason to refuse what is safe without it: what cannot be read
  // is itself a warning (WARNINGS_INCOMPLETE) then, unless another rule needs it.
  template <typename T>
  Read<T> Advise(const VmView& vm, const VmFact<T>& fact) {
    return Advise([&] { return Need(vm, fact); });
  }
  template <typename Fact>
  auto Advise(const DeviceView& device, const Fact& fact) {
    return Advise([&] { return Need(device, fact); });
  }
  // Notes that a fact, though read, does not answer the question.
  void AddGap(const Subject& subject, const std::string& fact, const std::string& why);

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<Gap>& gaps() const { return gaps_; }
  // Until when (inclusive) everything read so far would be as fresh, or as stale, as it is now.
  absl::Time holds_until() const {
    return std::min(oldest_fresh_ + max_age_, earliest_to_come_ - absl::Nanoseconds(1));
  }

 private:
  template <typename Reader>
  auto Advise(Reader reader) {
    advisory_ = true;
    auto fact = reader();
    advisory_ = false;
    return fact;
  }
  template <typename T>
  bool Usable(const Subject& subject, const char* name, const Evidence<T>& evidence,
              bool empty_says_nothing);
  // Here, because it is asked more than a thousand times in a decision.
  bool IsStale(const Subject& subject, absl::Time observed_at) {
    if (observed_at == absl::InfinitePast()) return true;
    if (observed_at > now_) {
      earliest_to_come_ = std::min(earliest_to_come_, observed_at);
      return true;
    }
    if (source_is_record_ && subject.side == Side::kSource) return false;
    if (observed_at < oldest_) return true;
    oldest_fresh_ = std::min(oldest_fresh_, observed_at);
    return false;
  }
  void AddGap(Gap gap);

  const absl::Time now_;
  const absl::Duration max_age_;
  const absl::Time oldest_;
  const bool source_is_record_;
  RegisteredRule rule_ = {};
  size_t order_ = 0;
  absl::Time oldest_fresh_ = absl::InfiniteFuture();
  absl::Time earliest_to_come_ = absl::InfiniteFuture();
  bool advisory_ = false;
  std::vector<Entry> entries_;
  std::vector<Gap> gaps_;
};

inline bool IsEmptyString(const std::string& value) { return value.empty(); }
template <typename T>
bool IsEmptyString(const T&) {
  return false;
}

template <typename T>
bool Report::Usable(const Subject& subject, const char* name, const Evidence<T>& evidence,
                    bool empty_says_nothing) {
  if (!evidence.known()) {
    AddGap(subject, name, evidence.detail.empty() ? "nobody looked" : evidence.detail);
    return false;
  }
  if (evidence.source == Source::kNobody) {
    AddGap(subject, name, "it is not known who observed it");
    return false;
  }
  if (SaysNothing(*evidence.value) || (empty_says_nothing && IsEmptyString(*evidence.value))) {
    AddGap(subject, name, "the value is empty");
    return false;
  }
  if (!IsStale(subject, evidence.observed_at)) return true;
  AddGap({subject, 0, true,
          CitedFact{name, ToText(*evidence.value), false, evidence.source, evidence.observed_at,
                    evidence.detail}});
  return false;
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_REPORT_H_
