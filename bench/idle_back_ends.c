// usage: virtiofsd DIRECTORY COUNT
//
// COUNT processes, each of which listens on a socket of its own, DIRECTORY/N.sock, as a back-end
// without a front-end does, and does nothing else. For bench/idle, which builds it under this name
// because vufd looks for back-ends by theirs. Prints "ready", and ends with its standard input.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void serve(const char* directory, int number) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/%d.sock", directory, number);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, (const struct sockaddr*)&address, sizeof(address)) != 0 || listen(fd, 1) != 0) {
    perror(address.sun_path);
    exit(1);
  }
  if (fork() != 0) {
    close(fd);
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (1) pause();
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return puts("virtiofsd 1.13.2") < 0;
  if (argc == 2 && strcmp(argv[1], "--print-capabilities") == 0) {
    return puts("{\"type\": \"fs\"}") < 0;
  }
  if (argc != 3) return 2;
  for (int number = 0; number < atoi(argv[2]); ++number) serve(argv[1], number);
  puts("ready");
  fflush(stdout);
  char byte;
  return read(0, &byte, 1) > 0;
}
