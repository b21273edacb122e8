import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { isVarveError } from '../../../src/base/varve-error.ts';
import { openFileDevice } from '../../../src/block/file-device.ts';
import { formatNamed } from '../../../src/format/formats.ts';
import type { FormatDevice } from '../../../src/format/image-format.ts';
import { checkDifference } from './check-difference.ts';
import { contentDifference } from './content-difference.ts';
import { mapDifference, type QemuExtent } from './map-difference.ts';
import { type OpenedImage, openedImage } from './opened-image.ts';

/** What is compared of an image. `open`: whether it can be read at all. */
export type Aspect = 'open' | 'content' | 'map' | 'check';

/** What came out of a comparison. */
export interface Verdict {
  readonly aspect: Aspect;
  /** `refused`: neither of the two reads it. `left out`: it is not compared, for a reason. */
  readonly outcome: 'same' | 'different' | 'refused' | 'left out';
  readonly detail: string;
}

/** What the judge may use. */
export interface JudgeTools {
  readonly qemuImg: string;
  /** A path that may be written, and is free again afterwards. */
  readonly scratchFile: string;
  /** Passphrases that its images may have. */
  readonly secrets: readonly string[];
}

interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A raw copy larger than this fits into no file of ext4. */
const maximumRawSize = 2 ** 43;
const toolTimeoutMs = 20_000;

/** What is to be said of an image. */
export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** Whether what it reads as hangs on other files too. */
  readonly hangsOnOthers: boolean;
}

/** Compares what we and qemu-img make of the image at `path`: nothing of one that qemu-img takes for a raw disk. */
export async function judgeImage(path: string, tools: JudgeTools): Promise<Judgement> {
  const info = await qemu(tools, ['info', '-U', '--output=json', path]);
  const about = info.status === 0 ? JSON.parse(info.stdout) : undefined;
  if (about?.format === 'raw') return { verdicts: [], hangsOnOthers: false };
  if (about?.format === 'luks') {
    return { verdicts: [leftOut('open', 'LUKS without an image around it is no format here')], hangsOnOthers: false };
  }
  let opening: OpenedImage;
  try {
    opening = await openedImage(path, tools.secrets);
  } catch (error) {
    return { verdicts: [await judgeRefusal(path, tools, error, about)], hangsOnOthers: true };
  }
  await using opened = opening.disk;
  const { backing, encryption, parts = [] } = opened.information();
  const hangsOnOthers = backing !== undefined || parts.length > 0;
  if (about === undefined) {
    return { verdicts: [different('open', `only we open it; qemu-img: ${firstLine(info.stderr)}`)], hangsOnOthers };
  }
  const source =
    encryption === undefined
      ? [path]
      : await encryptedSource(path, encryption, opening.secret, about['full-backing-filename'], tools);
  const content = await judgeContent(opened, source, tools);
  const isRead = content.outcome === 'same' || content.outcome === 'left out';
  const map = isRead ? await judgeMap(opened, source, tools) : leftOut('map', 'its content cannot be read');
  return { verdicts: [content, map, await judgeCheck(path, source, opened.format, tools)], hangsOnOthers };
}

/** How qemu-img is told the passphrase of an encrypted image, which is that of its base, too, if that has any. */
async function encryptedSource(
  path: string,
  encryption: string,
  passphrase: string,
  base: string | undefined,
  tools: JudgeTools,
): Promise<string[]> {
  const secret = ['--object', `secret,id=varve,data=${passphrase}`];
  const format = encryption === 'AES' ? 'aes' : 'luks';
  const image = `driver=qcow2,encrypt.format=${format},encrypt.key-secret=varve,file.filename=${path}`;
  const about = base === undefined ? undefined : await qemu(tools, ['info', '-U', '--output=json', base]);
  const isBaseEncrypted = about?.status === 0 && JSON.parse(about.stdout).encrypted === true;
  return [...secret, '--image-opts', isBaseEncrypted ? `${image},backing.encrypt.key-secret=varve` : image];
}

async function judgeRefusal(path: string, tools: JudgeTools, error: unknown, about: unknown): Promise<Verdict> {
  if (!isVarveError(error)) return different('open', `no error with a code: ${error}`);
  const message = `${error.code}, ${error.message}`;
  // In a ring of images qemu-img goes around until its memory is full.
  if (about === undefined || message.includes('cannot be a ring')) {
    return { aspect: 'open', outcome: 'refused', detail: message };
  }
  const read = await qemu(tools, ['convert', '-U', '-O', 'raw', path, tools.scratchFile]);
  await rm(tools.scratchFile, { force: true });
  if (read.status !== 0) return { aspect: 'open', outcome: 'refused', detail: message };
  return different('open', message);
}

async function judgeContent(disk: FormatDevice, source: readonly string[], tools: JudgeTools): Promise<Verdict> {
  if (disk.size > maximumRawSize) return leftOut('content', 'its raw copy would be too large for a file');
  const { scratchFile } = tools;
  try {
    const read = await qemu(tools, ['convert', '-U', '-O', 'raw', ...source, scratchFile]);
    let difference: string | undefined;
    try {
      await using raw = await openFileDevice(scratchFile, { readOnly: true });
      difference = await contentDifference(disk, raw);
    } catch (error) {
      if (!isVarveError(error)) return different('content', `no error with a code: ${error}`);
      if (read.status !== 0)
        return { aspect: 'content', outcome: 'refused', detail: `${error.code}, ${error.message}` };
      return different('content', `${error.code}, ${error.message}`);
    }
    if (read.status !== 0) return different('content', `only we read it; qemu-img: ${firstLine(read.stderr)}`);
    return difference === undefined ? same('content') : different('content', difference);
  } finally {
    await rm(scratchFile, { force: true });
  }
}

async function judgeMap(disk: FormatDevice, source: readonly string[], tools: JudgeTools): Promise<Verdict> {
  if (disk.format === 'vhdx') return leftOut('map', 'qemu-img takes all of a VHDX for data');
  const map = await qemu(tools, ['map', '-U', '--output=json', ...source]);
  try {
    const runs: QemuExtent[] = map.status === 0 ? JSON.parse(map.stdout) : [];
    const difference = await mapDifference(disk, runs);
    if (map.status !== 0) return different('map', `only we map it; qemu-img: ${firstLine(map.stderr)}`);
    return difference === undefined ? same('map') : different('map', difference);
  } catch (error) {
    if (!isVarveError(error)) return different('map', `no error with a code: ${error}`);
    const detail = `${error.code}, ${error.message}`;
    return map.status === 0 ? different('map', detail) : { aspect: 'map', outcome: 'refused', detail };
  }
}

async function judgeCheck(
  path: string,
  source: readonly string[],
  format: string,
  tools: JudgeTools,
): Promise<Verdict> {
  const check = formatNamed(format).check;
  if (check === undefined) return leftOut('check', `${format} images are not checked`);
  const { status, stderr, stdout } = await qemu(tools, ['check', '-U', '--output=json', ...source]);
  if (status === 63) return leftOut('check', `qemu-img does not check ${format}`);
  const theirs = stdout.startsWith('{') ? JSON.parse(stdout) : undefined;
  try {
    await using file = await openFileDevice(path, { readOnly: true });
    const ours = await check(file, { name: path });
    if (theirs === undefined) return different('check', `only we check it; qemu-img: ${firstLine(stderr)}`);
    const difference = checkDifference(ours, theirs);
    if (difference === undefined) return same('check');
    return different(
      'check',
      `${difference}; ours: ${ours.problems.slice(0, 3).join('; ')}; theirs: ${firstLine(stderr)}`,
    );
  } catch (error) {
    if (!isVarveError(error)) return different('check', `no error with a code: ${error}`);
    const detail = `${error.code}, ${error.message}`;
    if (theirs === undefined || theirs['check-errors'] > 0) return { aspect: 'check', outcome: 'refused', detail };
    return different('check', detail);
  }
}

function same(aspect: Aspect): Verdict {
  return { aspect, outcome: 'same', detail: '' };
}

function different(aspect: Aspect, detail: string): Verdict {
  return { aspect, outcome: 'different', detail };
}

function leftOut(aspect: Aspect, detail: string): Verdict {
  return { aspect, outcome: 'left out', detail };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** Runs qemu-img to its end, whatever it says. */
function qemu({ qemuImg }: JudgeTools, options: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve) => {
    const limits = { timeout: toolTimeoutMs, maxBuffer: 2 ** 28 };
    execFile(qemuImg, options, limits, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ status, stdout, stderr: stderr || (error?.message ?? '') });
    });
  });
}
