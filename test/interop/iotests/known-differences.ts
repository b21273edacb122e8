import type { Verdict } from './judge-image.ts';

/** A difference between qemu-img and us that is meant. */
interface KnownDifference {
  readonly aspect: Verdict['aspect'];
  readonly detail: RegExp;
  readonly reason: string;
}

const knownDifferences: readonly KnownDifference[] = [
  {
    aspect: 'content',
    detail: /^CORRUPT, .* the cluster of disk byte \d+, .* lies past its end/,
    reason: 'clusters that begin past the end of the file are zeros to QEMU; here the file counts as cut off',
  },
  {
    aspect: 'open',
    detail: /^CORRUPT, .* its snapshot table at byte \d+ lies past the end of the file/,
    reason: 'a snapshot table past the end of the file is one of zeros to QEMU; here the file counts as cut off',
  },
  {
    aspect: 'open',
    detail: /^only we open it; .*opened read-only, but contains a log that needs to be replayed/,
    reason: 'qemu-img reads no VHDX with a log before the log is replayed in the file; here that is done in memory',
  },
  {
    aspect: 'check',
    detail: /^only we check it; .*Could not open backing file/,
    reason: 'an image is checked here without opening another file',
  },
  {
    aspect: 'open',
    detail: /^UNSUPPORTED, .* it builds on "json:.*, which is no file name/,
    reason: "a json: name could be any of QEMU's protocols; here only files are followed",
  },
];

/** Why a difference is as it should be; undefined where it is not. */
export function knownDifference({ aspect, detail }: Verdict): string | undefined {
  return knownDifferences.find((known) => known.aspect === aspect && known.detail.test(detail))?.reason;
}
