/*
 * What else may be on a device: file systems that are not read here, members of other RAIDs, and other programs' disks. They
 * are told by their marks alone, so that it can be said what they are.
 *
 * Source: the public descriptions of each format, and util-linux's list of what blkid(8) tells apart for how they are
 * called.
 */

/** Bytes by which a kind is known. */
export interface Mark {
  /** Where they are, in bytes; below zero from the end of the device on. */
  readonly at: number;
  /** As latin-1 text. */
  readonly bytes: string;
  /** At how many places they may be, a step apart. */
  readonly times?: number;
  readonly step?: number;
  /** What has to be there, too, where the bytes are few. */
  readonly also?: Omit<Mark, 'also'>;
}

/** A kind that is known by marks, any of which is enough. */
export interface ForeignKind {
  /** As blkid calls it. */
  readonly type: string;
  readonly marks: readonly Mark[];
  /** Where its UUID is, 16 bytes. */
  readonly uuidAt?: number;
  /** Where its label is; zeros end it. */
  readonly label?: { readonly at: number; readonly length: number; readonly encoding?: 'utf-16le' };
}

const swapPages = [4096, 8192, 16_384, 65_536];
const suspendMarks = ['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'];
const promiseSectors = [63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087];
const bcacheMark = '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81';
const bcachefsMark = '\xc6\x85\x73\xf6\x6d\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81';

/** Those whose marks are long enough not to be there by chance, the most telling first. */
export const foreignKinds: readonly ForeignKind[] = [
  { type: 'BitLocker', marks: [{ at: 3, bytes: '-FVE-FS-' }] },
  { type: 'bcache', marks: [{ at: 4120, bytes: bcacheMark }], uuidAt: 4136 },
  { type: 'bcachefs', marks: [{ at: 4120, bytes: bcachefsMark }], uuidAt: 4152 },
  { type: 'stratis', marks: [{ at: 516, bytes: '!Stra0tis\x86\xff\x02^Arh' }] },
  { type: 'vdo', marks: [{ at: 0, bytes: 'dmvdo001' }], uuidAt: 40 },
  { type: 'ceph_bluestore', marks: [{ at: 0, bytes: 'bluestore block device' }] },
  { type: 'mpool', marks: [{ at: 0, bytes: 'mpoolDev' }], uuidAt: 40, label: { at: 8, length: 32 } },
  { type: 'drbdmanage_control_volume', marks: [{ at: 0, bytes: '$DRBDmgr=q' }] },
  { type: 'DM_integrity', marks: [{ at: 0, bytes: 'integrt\0' }] },
  { type: 'DM_verity_hash', marks: [{ at: 0, bytes: 'verity\0\0' }], uuidAt: 16 },
  { type: 'VMFS_volume_member', marks: [{ at: 1_048_576, bytes: '\x0d\xd0\x01\xc0' }] },
  { type: 'VMFS', marks: [{ at: 2_097_152, bytes: '\x5e\xf1\xab\x2f' }], label: { at: 2_097_181, length: 128 } },
  { type: 'zfs_member', marks: [{ at: 131_072, bytes: '\x0c\xb1\xba\0\0\0\0\0', times: 128, step: 1024 }] },
  {
    type: 'drbd',
    marks: [
      { at: -4036, bytes: '\x83\x74\x02\x6b' },
      { at: -4036, bytes: '\x83\x74\x02\x6d' },
    ],
  },
  { type: 'isw_raid_member', marks: [{ at: -1024, bytes: 'Intel Raid ISM Cfg Sig. ' }] },
  { type: 'ddf_raid_member', marks: [{ at: -512, bytes: '\xde\x11\xde\x11' }] },
  { type: 'nvidia_raid_member', marks: [{ at: -1024, bytes: 'NVIDIA  ' }] },
  { type: 'lsi_mega_raid_member', marks: [{ at: -512, bytes: '$XIDE$' }] },
  { type: 'adaptec_raid_member', marks: [{ at: -512, bytes: '\x37\xfc\x4d\x1e' }] },
  {
    type: 'promise_fasttrack_raid_member',
    marks: promiseSectors.map((sectors) => ({ at: -sectors * 512, bytes: 'Promise Technology, Inc.' })),
  },
  { type: 'hpt37x_raid_member', marks: ['\xf0', '\xfd'].map((first) => ({ at: 4640, bytes: `${first}\x16\x78\x5a` })) },
  {
    type: 'hpt45x_raid_member',
    marks: ['\xf3', '\xfd'].map((first) => ({ at: -5632, bytes: `${first}\x16\x78\x5a` })),
  },
  {
    type: 'udf',
    marks: ['NSR02', 'NSR03'].map((bytes) => ({ at: 32_769, bytes, times: 16, step: 2048 })),
  },
  { type: 'apfs', marks: [{ at: 32, bytes: 'NXSB' }], uuidAt: 72 },
  {
    type: 'reiserfs',
    marks: ['ReIsErFs', 'ReIsEr2Fs', 'ReIsEr3Fs'].map((bytes) => ({ at: 65_588, bytes })),
    ...{ uuidAt: 65_620, label: { at: 65_636, length: 16 } },
  },
  { type: 'reiser4', marks: [{ at: 65_536, bytes: 'ReIsEr4' }], uuidAt: 65_556, label: { at: 65_572, length: 16 } },
  { type: 'jfs', marks: [{ at: 32_768, bytes: 'JFS1' }], uuidAt: 32_904, label: { at: 32_920, length: 16 } },
  {
    type: 'f2fs',
    marks: [{ at: 1024, bytes: '\x10\x20\xf5\xf2' }],
    ...{ uuidAt: 1132, label: { at: 1148, length: 1024, encoding: 'utf-16le' } },
  },
  {
    type: 'nilfs2',
    marks: [{ at: 1024, bytes: '\x02\0\0\0\0\0\x34\x34' }],
    ...{ uuidAt: 1176, label: { at: 1192, length: 80 } },
  },
  { type: 'gfs2', marks: [{ at: 65_536, bytes: '\x01\x16\x19\x70\0\0\0\x01' }], label: { at: 65_696, length: 64 } },
  ...[1024, 2048, 4096, 8192].map((at) => ({
    ...{ type: 'ocfs2', marks: [{ at, bytes: 'OCFSV2' }], uuidAt: at + 336, label: { at: at + 272, length: 64 } },
  })),
  {
    type: 'ufs',
    marks: [
      { at: 66_908, bytes: '\x19\x01\x54\x19' },
      { at: 9564, bytes: '\x54\x19\x01\0' },
    ],
  },
  { type: 'hpfs', marks: [{ at: 8192, bytes: '\x49\xe8\x95\xf9' }], label: { at: 43, length: 11 } },
  {
    type: 'befs',
    marks: [
      { at: 544, bytes: '1SFB' },
      { at: 544, bytes: 'BFS1' },
    ],
    label: { at: 512, length: 32 },
  },
  { type: 'bfs', marks: [{ at: 0, bytes: '\xce\xfa\xad\x1b' }] },
  { type: 'cramfs', marks: [{ at: 16, bytes: 'Compressed ROMFS' }], label: { at: 48, length: 16 } },
  { type: 'romfs', marks: [{ at: 0, bytes: '-rom1fs-' }], label: { at: 16, length: 16 } },
  { type: 'nss', marks: [{ at: 4096, bytes: 'SPB5' }] },
  { type: 'ubi', marks: [{ at: 0, bytes: 'UBI#' }] },
  { type: 'ubifs', marks: [{ at: 0, bytes: '\x31\x18\x10\x06' }], uuidAt: 108 },
  { type: 'zonefs', marks: [{ at: 0, bytes: 'SFOZ' }] },
  { type: 'xfs_external_log', marks: [{ at: 0, bytes: '\xfe\xed\xba\xbe\0\0\0' }] },
  { type: 'DM_snapshot_cow', marks: [{ at: 0, bytes: 'SnAp\x01\0\0\0\x01\0\0\0' }] },
  { type: 'swsuspend', marks: swapPages.flatMap((page) => suspendMarks.map((bytes) => ({ at: page - 10, bytes }))) },
  { type: 'swap', marks: swapPages.map((page) => ({ at: page - 10, bytes: 'SWAP-SPACE' })) },
  {
    type: 'hfsplus',
    marks: [
      { at: 1024, bytes: 'H+\0\x04' },
      { at: 1024, bytes: 'HX\0\x05' },
    ],
  },
  { type: 'hfs', marks: [{ at: 1024, bytes: 'BD', also: { at: 1038, bytes: '\0\x03' } }] },
  {
    type: 'jbd',
    marks: [{ at: 1080, bytes: '\x53\xef', also: { at: 1120, bytes: '\x08\0\0\0' } }],
    ...{ uuidAt: 1128, label: { at: 1144, length: 16 } },
  },
];
