#include "client/completion.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vuf::cli {
namespace {

// The part of the script that does not depend on the commands. It reads COMP_LINE rather than
// COMP_WORDS, which bash also splits at "=" and ":".
constexpr char kFunctions[] = R"sh(
# _vufctl_names VUFCTL GROUP [FLAG...]: the names of a group's resources.
_vufctl_names() {
  "$1" "${@:3}" --timeout=2s "$2" list --output=names 2>/dev/null
}

# _vufctl_offer KIND CURRENT VUFCTL [FLAG...]: candidates for an argument or a flag's value.
_vufctl_offer() {
  local kind=$1 current=$2 words=
  shift 2
  case $kind in
    VM | @vms) words=$(_vufctl_names "$1" vms "${@:2}") ;;
    ENDPOINT) words=$(_vufctl_names "$1" endpoints "${@:2}") ;;
    PROFILE | @profiles) words=$(_vufctl_names "$1" profiles "${@:2}") ;;
    POLICY) words=$(_vufctl_names "$1" policies "${@:2}") ;;
    ACKNOWLEDGEMENT) words=$(_vufctl_names "$1" acknowledgements "${@:2}") ;;
    FILE) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    DECISION | "[DECISION]") words=$(_vufctl_names "$1" decisions "${@:2}") ;;
    MIGRATION) words=$(_vufctl_names "$1" migrations "${@:2}") ;;
    *SOCKET | @files) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    SHELL) words=bash ;;
    "[COMMAND]...") words=$_vufctl_first ;;
    "[PROGRAM]...") mapfile -t COMPREPLY < <(compgen -c -- "$current"); return ;;
    "[GLOB]" | "") ;;
    *) words=$kind ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_vufctl() {
  local line=${COMP_LINE:0:COMP_POINT} current="" word
  local -a typed=() plain=() connect=()
  read -ra typed <<<"$line"
  if [[ $line != *[[:space:]] ]]; then
    current=${typed[-1]}
    unset 'typed[-1]'
  fi
  COMPREPLY=()

  # Commands and arguments so far, without the flags and their values.
  local value_of=
  for word in "${typed[@]:1}"; do
    if [[ -n $value_of ]]; then
      [[ $value_of == --server ]] && connect=("--server=$word")
      value_of=
    elif [[ $word == --server=* ]]; then
      connect=("$word")
    elif [[ $word == --* ]]; then
      [[ -n ${_vufctl_values[$word]+set} ]] && value_of=$word
    else
      plain+=("$word")
    fi
  done

  local command="" used=1 first=${plain[0]:--} second=${plain[1]:--}
  if [[ -n ${_vufctl_flags["$first $second"]+set} ]]; then
    command="$first $second" used=2
  elif [[ -n ${_vufctl_flags[$first]+set} ]]; then
    command=$first
  elif [[ -n ${_vufctl_flags["$first list"]+set} ]]; then
    command="$first list"
  fi

  if [[ -z $value_of && $current == --*=* ]]; then
    value_of=${current%%=*}
    current=${current#*=}
    _vufctl_offer "${_vufctl_values[$value_of]-}" "$current" "$1" "${connect[@]}"
    # Where "=" does not break words, bash replaces the flag as well.
    [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/$value_of=}")
  elif [[ -n $value_of ]]; then
    _vufctl_offer "${_vufctl_values[$value_of]}" "$current" "$1" "${connect[@]}"
  elif [[ $current == -* ]]; then
    _vufctl_offer "${_vufctl_flags[${command:-help}]} $_vufctl_globals" "$current" "$1"
    [[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace 2>/dev/null
  elif ((${#plain[@]} == 0)); then
    _vufctl_offer "$_vufctl_first" "$current" "$1"
  elif ((${#plain[@]} == 1)) && [[ -n ${_vufctl_groups[$first]+set} ]]; then
    _vufctl_offer "${_vufctl_groups[$first]}" "$current" "$1"
  elif [[ -n $command ]]; then
    local -a arguments
    read -ra arguments <<<"${_vufctl_arguments[$command]}"
    _vufctl_offer "${arguments[${#plain[@]} - used]-}" "$current" "$1" "${connect[@]}"
  fi
}
complete -F _vufctl vufctl
)sh";

std::string FlagWords(const std::vector<FlagSpec>& flags) {
  return absl::StrJoin(flags, " ", [](std::string* out, const FlagSpec& flag) {
    absl::StrAppend(out, "--", flag.name, flag.value == nullptr ? "" : "=");
  });
}

std::string Array(absl::string_view name, const std::map<std::string, std::string>& entries) {
  std::string out = absl::StrCat("declare -gA ", name, "=(\n");
  for (const auto& [key, value] : entries) {
    absl::StrAppend(&out, "  [\"", key, "\"]=\"", value, "\"\n");
  }
  return absl::StrCat(out, ")\n");
}

void AddValues(const std::vector<FlagSpec>& flags, std::map<std::string, std::string>* values) {
  for (const FlagSpec& flag : flags) {
    if (flag.value == nullptr) continue;
    (*values)[absl::StrCat("--", flag.name)] = flag.choices == nullptr ? "" : flag.choices;
  }
}

}  // namespace

std::string BashCompletion(const std::vector<Command>& commands) {
  std::map<std::string, std::string> flags, arguments, groups, values;
  std::set<std::string> first;
  AddValues(GlobalFlags(), &values);
  for (const Command& command : commands) {
    const std::string name = command.name;
    const size_t space = name.find(' ');
    first.insert(name.substr(0, space));
    if (space != std::string::npos) {
      std::string& members = groups[name.substr(0, space)];
      absl::StrAppend(&members, members.empty() ? "" : " ", name.substr(space + 1));
    }
    flags[name] = FlagWords(command.flags);
    arguments[name] = command.args;
    AddValues(command.flags, &values);
  }
  return absl::StrCat("# bash completion for vufctl, made by \"vufctl completion bash\".\n",
                      Array("_vufctl_flags", flags), Array("_vufctl_arguments", arguments),
                      Array("_vufctl_groups", groups), Array("_vufctl_values", values),
                      "_vufctl_globals=\"", FlagWords(GlobalFlags()), "\"\n", "_vufctl_first=\"",
                      absl::StrJoin(first, " "), "\"\n", kFunctions);
}

}  // namespace vuf::cli
