// That a member, a message's field or an enumerator that is added later is not forgotten on the
// other side.
#include <cstdlib>
#include <set>
#include <type_traits>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "server/convert/record_enums.h"
#include "server/convert/record_fields.h"

namespace vuf::record {
namespace {

// Stands for a value of any member's type, to count how many a struct takes.
template <typename Struct>
struct Any {
  // NOLINTNEXTLINE(google-explicit-constructor)
  template <typename T>
  requires(!std::is_same_v<T, Struct>) operator T() const { std::abort(); }
};

template <typename Struct, typename... Members>
constexpr int CountMembers() {
  if constexpr (requires { Struct{Members()..., Any<Struct>()}; }) {
    return CountMembers<Struct, Members..., Any<Struct>>();
  } else {
    return sizeof...(Members);
  }
}

struct Recorder {
  template <typename T>
  void operator()(int number, T& member) {
    numbers.insert(number);
  }
  // A number for two members is in it once.
  std::set<int> numbers;
};

template <typename Struct>
int CountVisited() {
  Recorder recorder;
  Struct value;
  Visit(recorder, value);
  return static_cast<int>(recorder.numbers.size());
}

template <typename Struct, typename Message>
void ExpectMirrored() {
  SCOPED_TRACE(Message::descriptor()->name());
  EXPECT_EQ(CountVisited<Struct>(), CountMembers<Struct>());
  EXPECT_EQ(CountVisited<Struct>(), Message::descriptor()->field_count());
}

TEST(RecordMembersTest, MessagesMirrorTheModel) {
  ExpectMirrored<Version, v1::VersionRecord>();
  ExpectMirrored<ProcessId, v1::ProcessIdRecord>();
  ExpectMirrored<FileId, v1::FileIdRecord>();
  ExpectMirrored<MemoryBackendFacts, v1::MemoryBackendRecord>();
  ExpectMirrored<ChardevFacts, v1::ChardevRecord>();
  ExpectMirrored<SocketFacts, v1::SocketRecord>();
  ExpectMirrored<ShareId, v1::ShareRecord>();
  ExpectMirrored<DescriptorFacts, v1::DescriptorRecord>();
  ExpectMirrored<OpenFileFacts, v1::OpenFileRecord>();
  ExpectMirrored<BackEndFacts::ProfileModes, v1::ProfileModesRecord>();
  ExpectMirrored<KeeperFacts::FrontEnd, v1::KeeperFrontEndRecord>();
  ExpectMirrored<KeeperFacts, v1::KeeperRecord>();
  ExpectMirrored<KeptBackEnd, v1::KeptBackEndRecord>();
  ExpectMirrored<BackEndFacts, v1::BackEndRecord>();
  ExpectMirrored<FsDeviceFacts, v1::FsDeviceRecord>();
  ExpectMirrored<VmFacts, v1::VmFactsRecord>();
  ExpectMirrored<EffectivePolicy, v1::EffectivePolicyRecord>();
  ExpectMirrored<DevicePolicy, v1::DevicePolicyRecord>();
  ExpectMirrored<ModesAllowed, v1::ModesAllowedRecord>();
  ExpectMirrored<PolicyHold, v1::PolicyHoldRecord>();
  ExpectMirrored<WindowState, v1::WindowStateRecord>();
  ExpectMirrored<WarningRuling, v1::WarningRulingRecord>();
  ExpectMirrored<ConcurrencyLimit, v1::ConcurrencyLimitRecord>();
  ExpectMirrored<ConvergenceStep, v1::ConvergenceStepRecord>();
  ExpectMirrored<Accepted, v1::AcceptedRecord>();
  ExpectMirrored<Setting<bool>, v1::BoolSettingRecord>();
  ExpectMirrored<Setting<uint64_t>, v1::NumberSettingRecord>();
  ExpectMirrored<Setting<absl::Duration>, v1::DurationSettingRecord>();
  ExpectMirrored<Setting<ModesAllowed>, v1::ModesSettingRecord>();
  ExpectMirrored<Setting<WindowState>, v1::WindowSettingRecord>();
  ExpectMirrored<Setting<std::vector<ConvergenceStep>>, v1::ConvergenceSettingRecord>();
  ExpectMirrored<Request, v1::RequestRecord>();
  ExpectMirrored<RegisteredEndpoint, v1::RegisteredEndpointRecord>();
  ExpectMirrored<OtherHost, v1::OtherHostRecord>();
  ExpectMirrored<Facts, v1::FactsRecord>();
  EXPECT_EQ(CountVisited<Evidence<bool>>(), CountMembers<Evidence<bool>>());
}

template <typename Enum>
void ExpectMirrored(const google::protobuf::EnumDescriptor* descriptor) {
  SCOPED_TRACE(descriptor->name());
  for (int i = 0; i < descriptor->value_count(); ++i) {
    const auto enumerator = static_cast<Enum>(i);
    ASSERT_TRUE(NumberOf(enumerator).has_value()) << i;
    EXPECT_NE(descriptor->FindValueByNumber(*NumberOf(enumerator)), nullptr) << i;
    EXPECT_EQ(EnumeratorOf<Enum>(*NumberOf(enumerator)), enumerator);
  }
  EXPECT_FALSE(NumberOf(static_cast<Enum>(descriptor->value_count())).has_value());
  EXPECT_FALSE(EnumeratorOf<Enum>(descriptor->value_count()).has_value());
  EXPECT_FALSE(EnumeratorOf<Enum>(-1).has_value());
}

TEST(RecordMembersTest, EnumsMirrorTheModel) {
  ExpectMirrored<Source>(v1::SourceRecord_descriptor());
  ExpectMirrored<ProcessState>(v1::ProcessStateRecord_descriptor());
  ExpectMirrored<BackEndKind>(v1::BackEndKindRecord_descriptor());
  ExpectMirrored<KeeperFacts::Phase>(v1::KeeperPhaseRecord_descriptor());
  ExpectMirrored<KeeperFacts::Role>(v1::KeeperRoleRecord_descriptor());
}

}  // namespace
}  // namespace vuf::record
