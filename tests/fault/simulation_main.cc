// simulation [--schedules=N] [--first=SEED] [--jobs=N] [--planted=N]
// simulation --seed=SEED [--verbose]
//
// Runs schedules and prints how they ended; with --seed one schedule, again, with --verbose with
// what the agents log. The exit status is 1 when an invariant was violated, which is printed with
// its seed.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "tests/fault/simulation.h"

namespace vuf {
namespace {

struct Options {
  uint64_t schedules = 1000;
  uint64_t first = 1;
  uint64_t jobs = 2;
  uint64_t seed = 0;
  int planted = 0;
};

bool Report(uint64_t seed, const Schedule& schedule) {
  if (schedule.violation.empty()) return false;
  printf("seed %llu: %s (%s)\n", static_cast<unsigned long long>(seed), schedule.violation.c_str(),
         absl::StrJoin(schedule.events, ", ").c_str());
  fflush(stdout);
  return true;
}

// One of the processes; its exit status is the number of violations, at most 100.
int Job(const Options& options, uint64_t number) {
  int violations = 0;
  std::map<std::string, int> events;
  for (uint64_t i = number; i < options.schedules && violations < 100; i += options.jobs) {
    const uint64_t seed = options.first + i;
    const Schedule schedule = Simulate(seed, static_cast<PlantedBug>(options.planted));
    for (const std::string& event : schedule.events) ++events[event];
    violations += Report(seed, schedule) ? 1 : 0;
  }
  std::string figures;
  for (const auto& [event, count] : events) {
    figures += absl::StrJoin(
        {std::string(figures.empty() ? "" : ", "), event, std::string(" "), std::to_string(count)},
        "");
  }
  printf("job %llu: %s\n", static_cast<unsigned long long>(number), figures.c_str());
  fflush(stdout);
  return violations;
}

int RunJobs(const Options& options) {
  for (uint64_t job = 0; job < options.jobs; ++job) {
    if (fork() == 0) _exit(Job(options, job));
  }
  int wrong = 0;
  int status = 0;
  while (wait(&status) > 0) wrong += WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  printf("%llu schedules, %d violated\n", static_cast<unsigned long long>(options.schedules),
         wrong);
  return wrong > 0 ? 1 : 0;
}

int RunOne(const Options& options) {
  const Schedule schedule = Simulate(options.seed, static_cast<PlantedBug>(options.planted));
  printf("seed %llu: digest %016llx: %s\n", static_cast<unsigned long long>(options.seed),
         static_cast<unsigned long long>(schedule.digest),
         absl::StrJoin(schedule.events, ", ").c_str());
  return Report(options.seed, schedule) ? 1 : 0;
}

}  // namespace
}  // namespace vuf

int main(int argc, char** argv) {
  vuf::Options options;
  const std::map<std::string, uint64_t*> flags = {{"--schedules=", &options.schedules},
                                                  {"--first=", &options.first},
                                                  {"--jobs=", &options.jobs},
                                                  {"--seed=", &options.seed}};
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    bool known = argument == "--verbose";
    verbose = verbose || known;
    if (absl::ConsumePrefix(&argument, "--planted=")) {
      known = absl::SimpleAtoi(argument, &options.planted);
    }
    for (const auto& [flag, value] : flags) {
      if (absl::ConsumePrefix(&argument, flag)) known = absl::SimpleAtoi(argument, value);
    }
    if (known) continue;
    fprintf(stderr, "simulation: %s: unknown\n", argv[i]);
    return 2;
  }
  // Logging takes a turn, too, so it is the same whether somebody reads it or not.
  vuf::ConfigureLog(vuf::LogLevel::kDebug, false);
  if (!verbose && freopen("/dev/null", "w", stderr) == nullptr) return 2;
  return options.seed > 0 ? vuf::RunOne(options) : vuf::RunJobs(options);
}
