#include "server/decision/rule_rows.h"

namespace vuf {

RuleRows AllRows() {
  RuleRows rows;
  RequestRows(rows);
  HypervisorRows(rows);
  CapabilityRows(rows);
  StatelessRows(rows);
  BackEndRows(rows);
  IdentityRows(rows);
  DeviceRows(rows);
  ShareRows(rows);
  OtherHostRows(rows);
  FileRows(rows);
  ProcessRows(rows);
  OptionRows(rows);
  ProcedureRows(rows);
  KeeperSessionRows(rows);
  KeeperBackEndRows(rows);
  KeeperStatefulRows(rows);
  KeeperOtherRows(rows);
  SequentialRows(rows);
  SharedRamRows(rows);
  PolicyRows(rows);
  return rows;
}

}  // namespace vuf
