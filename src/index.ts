/**
 * Keeps disks of machines the way git keeps source: as content-addressed, copy-on-write snapshots in a store.
 *
 * ```ts
 * import { cloneImage, exportDisk, importDisk, openDisk, openStore } from 'varve';
 *
 * await using store = await openStore('/srv/images', { create: true });
 * await importDisk(store, './debian.qcow2', { name: 'web' });
 * cloneImage(store, 'web', 'test');
 * await using disk = await openDisk('test', { store });
 * await exportDisk(disk, './test.raw');
 * ```
 *
 * Failures of the world are `VarveError`s with a `code`. Whatever is opened is `AsyncDisposable`, and whoever opened it
 * disposes of it. Long work takes an `AbortSignal` and tells `log` what it does, which prints nothing until
 * `configureLog` gives it sinks.
 *
 * @module
 */

export { formatSize, parseSize } from './base/size.ts';
export { type ErrorCode, isVarveError, VarveError } from './base/varve-error.ts';
// Disks: the interface, what implements it, and what stands between.
export {
  type BlockDevice,
  type DeviceSupport,
  type Extent,
  type ExtentKind,
  isResizable,
  type MaybePromise,
  type ResizableDevice,
} from './block/block-device.ts';
export { type CheckedDeviceOptions, checkedDevice } from './block/checked-device.ts';
export { type FileDeviceOptions, openFileDevice } from './block/file-device.ts';
export { type HttpAddress, parseHttpAddress } from './block/http/http-address.ts';
export { openHttpDevice } from './block/http/http-device.ts';
export { type MemoryDeviceOptions, memoryDevice } from './block/memory-device.ts';
export { type NbdAddress, parseNbdUri } from './block/nbd/nbd-address.ts';
export { type NbdDeviceOptions, openNbdDevice } from './block/nbd/nbd-device.ts';
// Which files differ between disks.
export type { OpenGuest } from './changes/compared-volumes.ts';
export { type DiffGuestsOptions, diffGuests, type GuestsDiff } from './changes/diff-guests.ts';
export type { ComparedFile, Difference, FileChange } from './changes/file-change.ts';
// What is on disks.
export type {
  DeviceRange,
  DirectoryEntry,
  FileExtent,
  FileKind,
  FileStat,
  FileSystem,
  FileSystemDriver,
  FileSystemIdentity,
  FileSystemUsage,
  Timestamp,
} from './filesystem/file-system.ts';
export { findFileSystem, openFileSystem } from './filesystem/file-systems.ts';
export { type CacheDevice, type CacheOptions, type CacheStats, cacheFilter } from './filter/cache.ts';
export { type DelayOptions, delayFilter } from './filter/delay.ts';
export type { DeviceOperation } from './filter/device-operation.ts';
export { type FaultOptions, type FaultRule, faultFilter } from './filter/fault.ts';
export { type OverlayOptions, overlayFilter } from './filter/overlay.ts';
export { type RateOptions, rateFilter } from './filter/rate.ts';
export { type ReadAheadOptions, readAheadFilter } from './filter/read-ahead.ts';
export { readOnlyFilter } from './filter/read-only.ts';
export { type RetryOptions, retryFilter } from './filter/retry.ts';
export { type SliceOptions, sliceFilter } from './filter/slice.ts';
export { type DeviceStats, type OperationStats, type StatsDevice, statsFilter } from './filter/stats.ts';
export { truncateFilter } from './filter/truncate.ts';
// Disk files.
export {
  formatNamed,
  imageFormats,
  type OpenImageFileOptions,
  openImage,
  probeFormat,
  writableFormatNamed,
} from './format/formats.ts';
export type {
  AskSecret,
  BackingReference,
  BitmapInformation,
  CheckImageOptions,
  CheckReport,
  Compression,
  CreateImageOptions,
  FormatDevice,
  FormatInformation,
  ImageFormat,
  ImageMeasure,
  InternalSnapshot,
  InternalSnapshots,
  MappedExtent,
  OpenBacking,
  OpenImageOptions,
  OpenPart,
  WritableFormat,
  WriteImageOptions,
} from './format/image-format.ts';
export type { ImageTarget } from './format/image-target.ts';
export { qcow2Format } from './format/qcow2/qcow2.ts';
export { rawFormat } from './format/raw.ts';
// What systems keep on disks, without running or mounting them.
export { aclText } from './guest/acl-text.ts';
export { type GuestEntry, type GuestFile, GuestTree, type ResolveOptions } from './guest/guest-tree.ts';
export type { GuestVolume } from './guest/guest-volume.ts';
export type { MountedVolume } from './guest/mount-volumes.ts';
export { openDiskGuest } from './guest/open-disk-guest.ts';
export { type Guest, openGuest } from './guest/open-guest.ts';
export { type WalkOptions, type WalkStep, walkGuest } from './guest/walk-guest.ts';
// What is done with images.
export { type CheckFileOptions, checkFile, checkSnapshot, type DiskCheck } from './image/check-disk.ts';
export { cloneImage } from './image/clone-image.ts';
export { type CompareOptions, type Comparison, compareDisks } from './image/compare-disks.ts';
export { type CopyDiskOptions, type CopyResult, copyDisk } from './image/copying/copy-disk.ts';
export { type CreateDiskOptions, type CreatedDisk, createDisk } from './image/create-disk.ts';
export { type DiffOptions, diffDisks } from './image/diff-disks.ts';
export { type ChangedRange, diffSnapshots } from './image/diff-snapshots.ts';
export { discardChanges } from './image/discard-changes.ts';
export { type ChainLink, diskChain } from './image/disk-chain.ts';
export { type ExportOptions, type ExportResult, exportDisk } from './image/export-disk.ts';
export {
  type FileDisk,
  fileInformation,
  type OpenFileDiskOptions,
  openWritableDisk,
  type WritableDisk,
} from './image/file-disk.ts';
export type { BaseState } from './image/file-history/base-stamp.ts';
export { type FindChildrenOptions, findChildren } from './image/file-history/children.ts';
export { type CommitOverlayOptions, type Committed, commitOverlay } from './image/file-history/commit-overlay.ts';
export { type FileLogEntry, type FileLogOptions, fileLog } from './image/file-history/file-log.ts';
export type { ChainOptions } from './image/file-history/open-chain.ts';
export {
  flattenFile,
  type Rebased,
  type RebaseFileOptions,
  rebaseFile,
} from './image/file-history/rebase-file.ts';
export { type RemoveFilesOptions, removeFiles } from './image/file-history/remove-file.ts';
export { type RestoredFile, type RestoreFileOptions, restoreFile } from './image/file-history/restore-file.ts';
export { type FileSnapshot, type SnapshotFileOptions, snapshotFile } from './image/file-history/snapshot-file.ts';
export { type ImportOptions, type ImportResult, importDisk } from './image/import-disk.ts';
export {
  type ConvertedInPlace,
  type ConvertInPlaceOptions,
  convertInPlace,
} from './image/in-place/convert-in-place.ts';
export {
  type ApplyInternalSnapshotOptions,
  applyInternalSnapshot,
  createInternalSnapshot,
  deleteInternalSnapshot,
  type InternalSnapshotOptions,
} from './image/internal-snapshots.ts';
export {
  type LiveImage,
  type OpenForWritingOptions,
  openImageForWriting,
  type TakenSnapshot,
} from './image/live-image.ts';
export { mapDisk } from './image/map-disk.ts';
export { type MeasureOptions, measureDisk } from './image/measure-disk.ts';
export { measureStore, type StoreMeasure } from './image/measure-store.ts';
export { type Disk, type OpenDiskOptions, openDisk, type SnapshotDisk } from './image/open-disk.ts';
export type { OverlayStatus } from './image/overlay-status.ts';
export { pruneImage } from './image/prune-image.ts';
export { removeFromStore } from './image/remove-from-store.ts';
export { type Resized, type ResizeOptions, resizeDisk } from './image/resize-disk.ts';
export { type Restored, restoreSnapshot } from './image/restore-snapshot.ts';
export { judgeSnapshots, type RetentionPolicy, type Verdict } from './image/retention.ts';
export { type SettleOptions, settleImage } from './image/settle-image.ts';
export type { SnapshotDetails } from './image/snapshot-details.ts';
export { type SnapshotImageOptions, snapshotImage } from './image/snapshot-image.ts';
export { sourceName } from './image/source-name.ts';
export { type SparsifiedFile, sparsifyFile } from './image/sparsify/sparsify-file.ts';
export { sparsifyImage } from './image/sparsify/sparsify-image.ts';
export type { SparsifyOptions } from './image/sparsify/trim-unused.ts';
export type { UnusedRanges } from './image/sparsify/unused-ranges.ts';
export { beginTransaction } from './image/transaction/begin-transaction.ts';
export { commitTransaction, rollBackTransaction } from './image/transaction/end-transaction.ts';
export { listTransactions, type TransactionInfo } from './image/transaction/list-transactions.ts';
export { openTransactionDisk } from './image/transaction/open-transaction-disk.ts';
export type { ImageFileOptions } from './image/write-options.ts';
// What is on disks, told from their files.
export { cycloneDxDocument } from './inspect/documents/cyclonedx.ts';
export type { DocumentOrigin } from './inspect/documents/document-origin.ts';
export { type InspectionJsonOptions, inspectionJson } from './inspect/documents/inspection-json.ts';
export { spdxDocument } from './inspect/documents/spdx.ts';
export { virtInspectorXml } from './inspect/documents/virt-inspector-xml.ts';
export { inspectGuest } from './inspect/inspect-guest.ts';
export type { Inspection } from './inspect/inspection.ts';
// The log that everything is told to.
export { installExitFlush } from './log/exit-flush.ts';
export { jsonSink } from './log/json-sink.ts';
export { configureLog, createLog, type Log, type LogOptions, log } from './log/log.ts';
export { type MemorySink, memorySink } from './log/memory-sink.ts';
export { type PlainSinkOptions, plainSink } from './log/plain-sink.ts';
export type { Progress, ProgressOptions, ProgressScope } from './log/progress.ts';
export type { LogLine, LogSink, ProgressChange } from './log/sink.ts';
export { sinkFor } from './log/sink-for.ts';
export { type TerminalSinkOptions, type TerminalStream, terminalSink } from './log/terminal-sink.ts';
export type { TextStream } from './log/text-output.ts';
export type { Partition, PartitionTable } from './partition/partition-table.ts';
export { readPartitionTable } from './partition/read-partition-table.ts';

// The store.
export type { SnapshotNote } from './store/append-snapshot.ts';
export { collectGarbage, type GarbageOptions, type GarbageReport } from './store/collect-garbage.ts';
export type { DamagedRange } from './store/damage.ts';
export type { NewSnapshot } from './store/image-editor.ts';
export { type Image, referenceOf, type Snapshot, sameContent } from './store/image-table.ts';
export { type Content, ingestDevice, type WorkOptions } from './store/ingest-device.ts';
export type { SnapshotStatistics } from './store/manifest.ts';
export { MovedError } from './store/overlay/commit-stacks.ts';
export type { PendingNote } from './store/overlay/overlay-table.ts';
export { type RebuildReport, rebuildCatalog } from './store/rebuild-catalog.ts';
export { type OpenStoreOptions, openStore, type Store } from './store/store.ts';
export { type Problem, type VerifyReport, verifyStore } from './store/verify-store.ts';
