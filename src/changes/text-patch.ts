import { formatPatch, OMIT_HEADERS, type StructuredPatchHunk, structuredPatch } from 'diff';
import { readPart } from '../guest/read-part.ts';
import type { ComparedFile, FileChange } from './file-change.ts';

/** Longer files are not looked at line by line, in bytes; nor are those that differ in more lines. */
const longestText = 8 << 20;
const mostEdits = 4000;
/** As git has it: what has a NUL so near its start is no text. */
const probeLength = 8000;

const kindDigits: Readonly<Record<string, string>> = { file: '100', symlink: '120' };

/** The lines that a file's change adds and takes away. */
export interface LineChanges {
  readonly added: readonly string[];
  readonly deleted: readonly string[];
}

/**
 * What became of a file as a patch that `git apply` and `patch -p1` take, each byte a character; what patches cannot say, as
 * lines that they leave out.
 */
export async function textPatch(change: FileChange): Promise<string> {
  return [...remarks(change), ...(await patchLines(change))].map((line) => `${line}\n`).join('');
}

/** The lines that differ, by UTF-8; undefined for what is no text. */
export async function lineChanges(change: FileChange): Promise<LineChanges | undefined> {
  if (!hasContentChange(change) || !isPatchable(change)) return undefined;
  const [before, after] = [await textIn(change.before), await textIn(change.after)];
  if (before === undefined || after === undefined) return undefined;
  const lines = hunksOf(before, after).flatMap((hunk) => hunk.lines);
  const marked = (mark: string) =>
    lines.filter((line) => line.startsWith(mark)).map((line) => textOfBytes(line.slice(1)));
  return { added: marked('+'), deleted: marked('-') };
}

function textOfBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

function hasContentChange({ kind, differences }: FileChange): boolean {
  return kind === 'added' || kind === 'deleted' || differences.includes('content');
}

/** Whether patches know such files. */
function isPatchable({ before, after }: FileChange): boolean {
  return [before, after].every((file) => file === undefined || kindDigits[file.stat.kind] !== undefined);
}

function* remarks(change: FileChange): Generator<string> {
  const { kind, path, differences, before, after } = change;
  if (!isPatchable(change)) {
    const now = (after ?? before)!.stat.kind;
    const was = kind === 'renamed' ? ` from ${quoted(before!.path)}` : '';
    yield `# ${kind} ${now} ${quoted(path)}${was}${differences.length > 0 ? `: ${differences.join(', ')}` : ''}`;
  } else if (before !== undefined && after !== undefined) {
    const owner = ({ stat }: ComparedFile) => `${stat.uid}:${stat.gid}`;
    if (differences.includes('owner')) yield `# owner of ${quoted(path)}: ${owner(before)} -> ${owner(after)}`;
    if (differences.includes('attributes')) yield `# extended attributes of ${quoted(path)} changed`;
  }
}

async function patchLines(change: FileChange): Promise<string[]> {
  const { before, after } = change;
  if (!isPatchable(change)) return [];
  if (before !== undefined && after !== undefined && before.stat.kind !== after.stat.kind) {
    // Git takes such a file away and makes another one.
    const removed = await patchLines({ kind: 'deleted', path: before.path, differences: [], before });
    return [...removed, ...(await patchLines({ kind: 'added', path: after.path, differences: [], after }))];
  }
  const headers = headersOf(change);
  const content = hasContentChange(change) ? await contentLines(change) : [];
  if (headers.length === 0 && content.length === 0) return [];
  const names = [quoted(`a${nameIn(before ?? after)}`), quoted(`b${nameIn(after ?? before)}`)];
  return [`diff --git ${names.join(' ')}`, ...headers, ...content];
}

function headersOf({ kind, before, after }: FileChange): string[] {
  if (before === undefined) return [`new file mode ${modeOf(after!)}`];
  if (after === undefined) return [`deleted file mode ${modeOf(before)}`];
  const modes = modeOf(before) === modeOf(after) ? [] : [`old mode ${modeOf(before)}`, `new mode ${modeOf(after)}`];
  if (kind !== 'renamed') return modes;
  return [...modes, `rename from ${quoted(nameIn(before).slice(1))}`, `rename to ${quoted(nameIn(after).slice(1))}`];
}

async function contentLines({ before, after }: FileChange): Promise<string[]> {
  const [textA, textB] = [await textIn(before), await textIn(after)];
  const nameA = before === undefined ? '/dev/null' : quoted(`a${nameIn(before)}`);
  const nameB = after === undefined ? '/dev/null' : quoted(`b${nameIn(after)}`);
  if (textA === undefined || textB === undefined) return [`Binary files ${nameA} and ${nameB} differ`];
  const hunks = hunksOf(textA, textB);
  if (hunks.length === 0) return [];
  const head = { oldFileName: '', newFileName: '', oldHeader: undefined, newHeader: undefined };
  const lines = formatPatch({ ...head, hunks }, OMIT_HEADERS)
    .replace(/\n$/, '')
    .split('\n');
  return [`--- ${delimited(nameA)}`, `+++ ${delimited(nameB)}`, ...lines];
}

/** A name with a space ends with a tab, or a date would be seen in it. */
function delimited(name: string): string {
  return name.includes(' ') ? `${name}\t` : name;
}

function hunksOf(before: string, after: string): StructuredPatchHunk[] {
  const patch = structuredPatch('', '', before, after, '', '', { context: 3, maxEditLength: mostEdits });
  return patch?.hunks ?? [replacingHunk(before, after)];
}

/** Where too much differs, all of it does. */
function replacingHunk(before: string, after: string): StructuredPatchHunk {
  const [gone] = structuredPatch('', '', before, '', '', '').hunks;
  const [come] = structuredPatch('', '', '', after, '', '').hunks;
  const [oldLines, newLines] = [gone?.oldLines ?? 0, come?.newLines ?? 0];
  const lines = [...(gone?.lines ?? []), ...(come?.lines ?? [])];
  return { oldStart: 1, oldLines, newStart: 1, newLines, lines };
}

/** A file's text, or a symlink's target; undefined for what is no text, empty for no file. */
async function textIn(file: ComparedFile | undefined): Promise<string | undefined> {
  if (file === undefined) return '';
  const { fileSystem, node, stat } = file;
  if (stat.kind === 'symlink') return Buffer.from(await fileSystem.readLink(node)).toString('latin1');
  if (stat.size > longestText) return undefined;
  const bytes = await readPart(file, 0, stat.size);
  return bytes.subarray(0, probeLength).includes(0)
    ? undefined
    : Buffer.from(bytes.buffer, 0, bytes.length).toString('latin1');
}

/** With the kind, as git has it: `100644`. */
function modeOf({ stat }: ComparedFile): string {
  return stat.kind === 'symlink' ? '120000' : `${kindDigits[stat.kind]}${stat.mode.toString(8).padStart(3, '0')}`;
}

/** A path's bytes, each a character, with a `/` before it. */
function nameIn(file: ComparedFile | undefined): string {
  const { path } = file!;
  return path.startsWith('/') ? path : `/${path}`;
}

/** A name as git writes it: in quotes where it has something special. */
function quoted(name: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(name)) return name;
  return `"${Array.from(name, escapedCharacter).join('')}"`;
}

function escapedCharacter(character: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]$/.test(character)) return character;
  const code = character.codePointAt(0)!;
  const bytes = code >= 0xdc80 && code <= 0xdcff ? [code - 0xdc00] : [...Buffer.from(character)];
  return bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}
