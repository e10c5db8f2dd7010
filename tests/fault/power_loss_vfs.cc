#include "tests/fault/power_loss_vfs.h"

#include <sqlite3.h>

#include <fstream>
#include <iterator>
#include <new>
#include <utility>

namespace vuf {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// SQLite allocates szOsFile bytes for one: this, and behind it the file of the real file system.
struct Handle {
  sqlite3_file base;
  std::string* path;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_vfs* real_vfs = nullptr;

sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<Handle*>(file)->real(); }
const std::string& PathOf(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->path; }
PowerLossDisk& Disk() { return PowerLossDisk::Get(); }

int Close(sqlite3_file* file) {
  const int result = Real(file)->pMethods->xClose(Real(file));
  delete reinterpret_cast<Handle*>(file)->path;
  return result;
}
int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
  if (Disk().off()) return SQLITE_IOERR_READ;
  return Real(file)->pMethods->xRead(Real(file), out, size, at);
}
int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  if (!Disk().Begin()) return SQLITE_IOERR_WRITE;
  const int result = Real(file)->pMethods->xWrite(Real(file), bytes, size, at);
  Disk().Wrote(PathOf(file), at,
               std::string(static_cast<const char*>(bytes), static_cast<size_t>(size)));
  return result;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (!Disk().Begin()) return SQLITE_IOERR_TRUNCATE;
  Disk().Truncated(PathOf(file), size);
  return Real(file)->pMethods->xTruncate(Real(file), size);
}
// Only this disk is ever asked what it holds, so the real one need not hurry.
int Sync(sqlite3_file* file, int) {
  if (!Disk().Begin()) return SQLITE_IOERR_FSYNC;
  Disk().Synced(PathOf(file));
  return SQLITE_OK;
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Real(file)->pMethods->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}
int CheckReserved(sqlite3_file* file, int* out) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), out);
}
int Control(sqlite3_file* file, int what, void* argument) {
  return Real(file)->pMethods->xFileControl(Real(file), what, argument);
}
int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
// The real one may promise that what it writes does not tear.
int Characteristics(sqlite3_file*) { return 0; }

// Version 1: no shared memory, which an exclusive connection does not need.
constexpr sqlite3_io_methods kMethods = {
    1,       Close,         Read,    Write,      Truncate,        Sync,    FileSize, Lock,
    Unlock,  CheckReserved, Control, SectorSize, Characteristics, nullptr, nullptr,  nullptr,
    nullptr, nullptr,       nullptr};

int Open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto* const handle = reinterpret_cast<Handle*>(file);
  handle->base.pMethods = nullptr;
  if (Disk().off()) return SQLITE_CANTOPEN;
  const int result = real_vfs->xOpen(real_vfs, path, handle->real(), flags, out_flags);
  if (result != SQLITE_OK) return result;
  handle->path = new std::string(path == nullptr ? "" : path);
  handle->base.pMethods = &kMethods;
  if (path != nullptr) Disk().Opened(path);
  return SQLITE_OK;
}

int Delete(sqlite3_vfs*, const char* path, int sync_directory) {
  if (!Disk().Begin()) return SQLITE_IOERR_DELETE;
  Disk().Deleted(path);
  return real_vfs->xDelete(real_vfs, path, sync_directory);
}

void Register() {
  real_vfs = sqlite3_vfs_find(nullptr);
  // Leaked: SQLite keeps it.
  auto* const vfs = new sqlite3_vfs(*real_vfs);
  vfs->zName = "power-loss";
  vfs->szOsFile = static_cast<int>(sizeof(Handle)) + real_vfs->szOsFile;
  vfs->pNext = nullptr;
  vfs->xOpen = Open;
  vfs->xDelete = Delete;
  sqlite3_vfs_register(vfs, /*makeDflt=*/1);
}

void Apply(std::string& image, int64_t offset, const std::string& bytes, size_t size) {
  const auto at = static_cast<size_t>(offset);
  if (image.size() < at + size) image.resize(at + size, '\0');
  image.replace(at, size, bytes, 0, size);
}

}  // namespace

PowerLossDisk& PowerLossDisk::Get() {
  static PowerLossDisk& disk = *[] {
    Register();
    return new PowerLossDisk();
  }();
  return disk;
}

void PowerLossDisk::OffAt(int operation) {
  MutexLock lock(&mu_);
  off_at_ = operation;
  operations_ = 0;
}

bool PowerLossDisk::off() const {
  MutexLock lock(&mu_);
  return off_;
}

int PowerLossDisk::operations() const {
  MutexLock lock(&mu_);
  return operations_;
}

bool PowerLossDisk::Begin() {
  MutexLock lock(&mu_);
  ++operations_;
  off_ = off_ || operations_ == off_at_;
  return !off_;
}

void PowerLossDisk::Opened(const std::string& path) {
  MutexLock lock(&mu_);
  // What was there before is on the disk.
  const auto [it, fresh] = files_.try_emplace(path);
  if (fresh) it->second.synced = Contents(path);
}

void PowerLossDisk::Wrote(const std::string& path, int64_t offset, std::string bytes) {
  MutexLock lock(&mu_);
  files_[path].since.push_back({offset, std::move(bytes), false});
}

void PowerLossDisk::Truncated(const std::string& path, int64_t size) {
  MutexLock lock(&mu_);
  files_[path].since.push_back({size, "", true});
}

void PowerLossDisk::Synced(const std::string& path) {
  MutexLock lock(&mu_);
  File& file = files_[path];
  for (const Operation& one : file.since) {
    if (one.truncates) file.synced.resize(static_cast<size_t>(one.offset));
    Apply(file.synced, one.offset, one.bytes, one.bytes.size());
  }
  file.since.clear();
}

void PowerLossDisk::Deleted(const std::string& path) {
  MutexLock lock(&mu_);
  files_.erase(path);
}

std::string PowerLossDisk::After(const File& file, std::mt19937& random) {
  std::string image = file.synced;
  for (const Operation& one : file.since) {
    switch (random() % 3) {
      case 0:
        break;
      case 1:
        if (one.truncates) image.resize(static_cast<size_t>(one.offset), '\0');
        Apply(image, one.offset, one.bytes, one.bytes.size());
        break;
      default:
        Apply(image, one.offset, one.bytes, random() % (one.bytes.size() + 1));
    }
  }
  return image;
}

void PowerLossDisk::Restore(std::mt19937& random) {
  MutexLock lock(&mu_);
  for (const auto& [path, file] : files_) {
    // Made and never synced, so its name may be gone; vufd syncs what it relies on.
    std::ofstream(path, std::ios::binary | std::ios::trunc) << After(file, random);
  }
  files_.clear();
  off_ = false;
  off_at_ = 0;
}

}  // namespace vuf
