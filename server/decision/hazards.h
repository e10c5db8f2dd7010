// The numbered hazards that no rule detects: for the end of docs/reasons.md.
#ifndef VUFD_SERVER_DECISION_HAZARDS_H_
#define VUFD_SERVER_DECISION_HAZARDS_H_

namespace vuf {

// Hazards are numbered from 1 to this.
inline constexpr int kHazards = 76;

struct UndetectedHazard {
  int number;
  const char* hazard;
  // What vufd does about it without looking; empty: nothing.
  const char* procedure;
  // What is left to the operator; empty: nothing.
  const char* to_do;
};

inline constexpr UndetectedHazard kUndetectedHazards[] = {
    {7, "The QMP command x-query-virtio-status kills QEMU 11.1.", "Never sent.",
     "Do not send it yourself."},
    {17,
     "A manifest, or libvirt's capabilities, describe the installed back-end and not the running "
     "one; for external sockets libvirt checks nothing.",
     "Only the running executable is asked.", ""},
    {23, "Connecting to a virtiofsd to look at it ends its session.",
     "No back-end's socket is ever connected to.", "Do not probe the sockets with other tools."},
    {27, "The back-end is upgraded, or killed, by its service manager during the migration.", "",
     "Hold back upgrades of back-ends while VMs migrate; look at OOM settings."},
    {28, "virtiofsd exits with the source QEMU, and files that are open but deleted are gone.",
     "The source is kept until the destination runs.", ""},
    {29, "The back-end is in another container and cannot be reached from the destination's.",
     "No verdict is safe before the destination's QEMU is connected to its back-end and vufd sees "
     "both ends. That back-ends have namespaces of their own says nothing: their sandbox does "
     "that.",
     "Sequentially: start the destination QEMU where the socket's path means the same."},
    {43, "The share itself is moved to other storage at the same time.", "",
     "Do one after the other."},
    {57, "A destination that exits on a failed load takes the reason with it.",
     "exit-on-error is switched off.", ""},
    {61, "The agent dies between the beginning and the end of a migration.",
     "Every step is journalled before it is taken, and settled at the next start.", ""},
    {62, "The source is resumed although the destination ran.",
     "Once the destination may have run, the source is never resumed.",
     "Do not send cont to a VM in postmigrate."},
    {66, "Devices are plugged or unplugged between the check and the migration.",
     "Who takes part is compared again before the point of no return.",
     "Do not plug devices while a VM migrates."},
    {67, "The agent dies while the guest is stopped before the switch-over.",
     "Settled at the next start of the agent.", "Have the service manager restart vufd at once."},
    {68, "A slow request of the back-end stalls all of QEMU.", "Every QMP command has a deadline.",
     "Expect a longer downtime on slow storage."},
    {72, "After a migration with lost files, the next one loses them again.", "",
     "See LOST_FILES_GO_UNNOTICED; remount in the guest."},
    {75, "The guest resets the device during the hand-over.", "",
     "Do not reset a guest while it migrates."},
    {76, "The destination's QEMU may not open the back-end's socket.",
     "No verdict is safe before the destination's QEMU has opened it.",
     "Sequentially: start the destination QEMU as the source's user."},
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_HAZARDS_H_
