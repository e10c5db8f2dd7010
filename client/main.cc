// vufctl, the command line of vufd.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli.h"

namespace {

int Columns() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::clamp<int>(size.ws_col, 40, 100);
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that leaves is an error of the write, which has a message, not a death.
  std::signal(SIGPIPE, SIG_IGN);
  vuf::cli::Terminal terminal{std::cout, std::cerr};
  terminal.err_is_tty = isatty(STDERR_FILENO) != 0;
  const char* no_colour = std::getenv("NO_COLOR");
  terminal.colour = isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
  terminal.columns = Columns();
  return vuf::cli::RunVufctl(std::vector<std::string>(argv + std::min(argc, 1), argv + argc),
                             terminal);
}
