import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import type { GuestFile, GuestTree } from '../../guest/guest-tree.ts';
import { readPart } from '../../guest/read-part.ts';
import { gunzipped } from '../../image/compressed-file-gzip.ts';
import { CompressedFileInput } from '../../image/compressed-file-input.ts';
import { unxz } from '../../image/compressed-file-xz.ts';
import { unzstd } from '../../image/compressed-file-zstd.ts';
import { guestTimeZone, type ZoneOffset } from './guest-time-zone.ts';
import { lineTime, TextLine } from './text-line.ts';

const directory = '/var/log';
/** What syslogs of the known distributions write, and what logrotate makes of it. */
const logName =
  /^(syslog|messages|secure|cron|maillog|debug|(auth|kern|daemon|user|mail|cron)\.log)(\.\d+|-\d{8})?(\.(gz|xz|zst))?$/;
/** What is kept in memory: lines, and bytes of them. Older files are left out then. */
const mostLines = 2_000_000;
const mostBytes = 128 << 20;
const longestLine = 65_536;
const dayMs = 86_400_000;

const unpackers: Readonly<Record<string, (input: CompressedFileInput) => AsyncIterable<Uint8Array>>> = {
  gz: gunzipped,
  xz: unxz,
  zst: unzstd,
};

/**
 * The lines of the text files that a guest's syslog wrote, also rotated and compressed ones, in the order of time; what
 * stands in two of them only once. `onProblem` hears of what is left out.
 */
export async function readTextLogs(tree: GuestTree, onProblem: (problem: VarveError) => void): Promise<TextLine[]> {
  const zone = await guestTimeZone(tree);
  const found: { readonly line: TextLine; readonly file: number }[] = [];
  let bytesLeft = mostBytes;
  for (const [index, file] of (await logFiles(tree)).entries()) {
    const linesLeft = mostLines - found.length;
    const { problem, text } = await textOf(file, Math.max(0, bytesLeft));
    bytesLeft -= text.length;
    const lines = linesOf(text, (file.stat.modified?.seconds ?? 0) * 1000, zone, linesLeft);
    for (const line of lines) found.push({ line, file: index });
    if (problem !== undefined) onProblem(problem);
    if (bytesLeft > 0 && found.length < mostLines) continue;
    const limit = `the newest ${mostBytes >> 20} MiB, or ${mostLines} lines`;
    onProblem(
      new VarveError('UNSUPPORTED', `older lines than those from ${file.path} are left out: ${limit} are read`),
    );
    break;
  }
  found.sort((a, b) => a.line.realtime - b.line.realtime || b.file - a.file);
  return withoutCopies(found);
}

/** The newest first. */
async function logFiles(tree: GuestTree): Promise<GuestFile[]> {
  const place = await tree.find(directory);
  if (place?.kind !== 'directory') return [];
  const entries = (await tree.entries(place)).filter(({ kind, path }) => kind === 'file' && logName.test(nameOf(path)));
  const files: GuestFile[] = [];
  for (const entry of entries) files.push({ ...entry, stat: await entry.fileSystem.stat(entry.node) });
  return files.sort((a, b) => (b.stat.modified?.seconds ?? 0) - (a.stat.modified?.seconds ?? 0));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

interface LogText {
  readonly text: string;
  readonly problem?: VarveError | undefined;
}

/** What a file holds, or the last of it where that is over `most` bytes; of one that is damaged, what comes before that. */
async function textOf(file: GuestFile, most: number): Promise<LogText> {
  const { path, stat } = file;
  const pieces: Uint8Array[] = [];
  try {
    const bytes = await readPart(file, Math.max(0, stat.size - most), most);
    const unpack = unpackers[path.slice(path.lastIndexOf('.') + 1)];
    if (unpack === undefined) return { text: new TextDecoder().decode(bytes) };
    if (stat.size > most) throw new VarveError('UNSUPPORTED', 'it is too large');
    let sum = 0;
    for await (const piece of unpack(new CompressedFileInput(memoryDevice(bytes)))) {
      sum += piece.length;
      if (sum > most) throw new VarveError('UNSUPPORTED', `it holds over ${most} bytes`);
      pieces.push(piece.slice());
    }
    return { text: new TextDecoder().decode(Buffer.concat(pieces)) };
  } catch (error) {
    const code = isVarveError(error) ? error.code : 'CORRUPT';
    const why = error instanceof Error ? error.message : String(error);
    const problem = new VarveError(code, `cannot read all of ${path}: ${why}`, { cause: error });
    return { text: new TextDecoder().decode(Buffer.concat(pieces)), problem };
  }
}

/**
 * The last `most` lines of a text. Most name no year: going back from when the file was last written, the year is one less
 * wherever the months go up.
 */
function linesOf(text: string, writtenAt: number, zone: ZoneOffset, most: number): TextLine[] {
  const found: TextLine[] = [];
  // A clock may run a little ahead, and a line be late.
  let [year, latest] = [new Date(writtenAt + dayMs).getUTCFullYear(), writtenAt + dayMs];
  let continued: string[] = [];
  const lines = text.split('\n');
  for (let index = lines.length - 1; index >= 0 && found.length < most; index -= 1) {
    const line = lines[index]!.slice(0, longestLine);
    if (line === '') continue;
    const time = lineTime(line);
    if (time === undefined) {
      continued.push(line);
      continue;
    }
    const whole = continued.length === 0 ? line : [line, ...continued.reverse()].join('\n');
    continued = [];
    if (time.kind === 'moment') found.push(new TextLine(time.realtime, whole));
    else {
      if (time.inYear(year) > latest) year -= 1;
      const local = time.inYear(year);
      const moment = local - zone(local - zone(local));
      found.push(new TextLine(Math.max(0, moment) * 1000, whole));
      latest = local + 30 * dayMs;
    }
  }
  return found.reverse();
}

/** kern.log has what syslog has, too: of the same line at the same moment in two files, one is enough. */
function withoutCopies(found: readonly { readonly line: TextLine; readonly file: number }[]): TextLine[] {
  const kept: TextLine[] = [];
  let fileOfText = new Map<string, number>();
  for (const { file, line } of found) {
    if (line.realtime !== kept.at(-1)?.realtime) fileOfText = new Map();
    const first = fileOfText.get(line.text) ?? file;
    fileOfText.set(line.text, first);
    if (first === file) kept.push(line);
  }
  return kept;
}
