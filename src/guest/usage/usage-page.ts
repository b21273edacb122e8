import { formatSize } from '../../base/size.ts';
import { ageClasses, ageClassOf } from './age.ts';
import type { UsageIndex, UsageTotal } from './usage-index.ts';

/** What the pages of an index are made with. */
export interface UsagePageOptions {
  /** The disk's name. */
  readonly disk: string;
  /** Which age is meant: of the last `access`, or of the last `change`. */
  readonly ageOf: 'access' | 'change';
  /** From when ages are counted, in milliseconds since 1970. */
  readonly now: number;
  /** What a directory's page is called, as an address; undefined for one that has none. */
  readonly link: (directoryIndex: number) => string | undefined;
  /** A name as it is shown: without anything that is no text. */
  readonly nameText: (name: string) => string;
}

/** One bar: what it is of, and the items that it adds up. */
interface Bar {
  readonly label: string;
  /** Whether the label is no name of a file, but says what is meant. */
  readonly isRemark?: boolean;
  readonly link: string | undefined;
  readonly bytes: number;
  readonly files: number | undefined;
  readonly ranges: readonly (readonly [first: number, end: number])[];
}

/** Pages show so many bars at the most: a browser has to draw them. */
const mostBars = 2000;

/** The style of the pages, which holds nothing from a disk. */
export const usageStyle = `
:root { color-scheme: light dark; --line: #8884; --dim: light-dark(#666, #a0a0a0); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1.5rem; }
h1, h2 { font-size: 1.25rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; }
p { margin: .25rem 0 1rem; color: var(--dim); }
a { color: LinkText; text-decoration: none; }
a:hover { text-decoration: underline; }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 1.25rem; padding: 0; font-size: .85rem; color: var(--dim); }
ul svg { width: .8em; height: .8em; margin-right: .4em; vertical-align: -.05em; border-radius: 2px; }
table { border-collapse: collapse; width: 100%; }
td, th { padding: .3rem .5rem; border-bottom: 1px solid var(--line); text-align: left; font-weight: normal; }
th { color: var(--dim); font-size: .85rem; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; width: 1%; }
td.b { width: 45%; }
td.b svg { display: block; width: 100%; height: 1.1em; }
td.name { overflow-wrap: anywhere; }
tr.all td { font-weight: 600; }
.dim { color: var(--dim); }
`;

/** A whole page, of sections that `usageSection` made. */
export function usagePage(title: string, sections: readonly string[]): string {
  return [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${usageStyle}</style></head><body>`,
    ...sections,
    '</body></html>\n',
  ].join('\n');
}

/** What the colours mean. */
export function usageLegend({ ageOf }: Pick<UsagePageOptions, 'ageOf'>): string {
  const entries = ageClasses.map(
    ({ colour, text }) => `<li><svg viewBox="0 0 1 1"><rect width="1" height="1" fill="${colour}"/></svg>${text}</li>`,
  );
  const words = ageOf === 'access' ? 'last read or written' : 'last written';
  return `<ul><li>${words}</li>${entries.join('')}</ul>`;
}

/** A directory of an index: a bar for all of it, for each directory in it, the largest first, and for its files. */
export function usageSection(
  index: UsageIndex,
  totals: readonly UsageTotal[],
  directoryIndex: number,
  options: UsagePageOptions,
): string {
  const { endItem, firstItem } = index.directories[directoryIndex]!;
  const total = totals[directoryIndex]!;
  const all = { label: 'all of it', link: undefined, ...total, ranges: [[firstItem, endItem] as const] };
  const bars = barsIn(index, totals, directoryIndex, options);
  const shown = bars.slice(0, mostBars);
  const left = bars.length - shown.length;
  const row = (bar: Bar, className?: string) => barRow(index, bar, total.bytes, options, className);
  return [
    `<h2 id="d${directoryIndex}">${pathLinks(index, directoryIndex, options)}</h2>`,
    `<p>${formatSize(total.bytes)} in ${total.files} ${total.files === 1 ? 'file' : 'files'}</p>`,
    '<table><thead><tr><th class="n">Size</th><th class="n">Part</th><th>By age</th><th>Name</th><th class="n">Files</th></tr></thead><tbody>',
    row(all, 'all'),
    ...shown.map((bar) => row(bar)),
    '</tbody></table>',
    ...(left > 0 ? [`<p>and ${left} more, which are smaller</p>`] : []),
  ].join('\n');
}

function barsIn(
  index: UsageIndex,
  totals: readonly UsageTotal[],
  directoryIndex: number,
  { link, nameText }: UsagePageOptions,
): Bar[] {
  const { firstItem, ownEnd, path } = index.directories[directoryIndex]!;
  const prefix = path === '/' ? 1 : path.length + 1;
  const bars: Bar[] = [];
  for (const child of index.children(directoryIndex)) {
    const directory = index.directories[child]!;
    const label = `${nameText(directory.path.slice(prefix))}/`;
    const ranges = [[directory.firstItem, directory.endItem] as const];
    bars.push({ label, link: link(child), ...totals[child]!, ranges });
  }
  for (let item = firstItem + 1; index.keepsNames && item < ownEnd; item++) {
    const label = nameText(index.nameOf(item));
    bars.push({ label, link: undefined, bytes: index.sizeOf(item), files: undefined, ranges: [[item, item + 1]] });
  }
  const ranges = [[firstItem, index.keepsNames ? firstItem + 1 : ownEnd] as const];
  const files = index.keepsNames ? 0 : ownEnd - firstItem - 1;
  const label = files > 0 ? 'files in this directory' : 'this directory itself';
  bars.push({
    label,
    isRemark: true,
    link: undefined,
    bytes: sum(index, ranges[0]!),
    files: files > 0 ? files : undefined,
    ranges,
  });
  return bars.sort((a, b) => b.bytes - a.bytes);
}

function barRow(
  index: UsageIndex,
  { bytes, files, isRemark, label, link, ranges }: Bar,
  wholeBytes: number,
  options: UsagePageOptions,
  className?: string,
): string {
  const part = wholeBytes === 0 ? '' : `${((bytes / wholeBytes) * 100).toFixed(1)}%`;
  const text = escapeHtml(label);
  const name =
    link === undefined
      ? `<span${isRemark ? ' class="dim"' : ''}>${text}</span>`
      : `<a href="${escapeHtml(link)}">${text}</a>`;
  return [
    `<tr${className ? ` class="${className}"` : ''}><td class="n">${formatSize(bytes)}</td><td class="n">${part}</td>`,
    `<td class="b">${barPicture(index, ranges, wholeBytes, options.now)}</td>`,
    `<td class="name">${name}</td><td class="n">${files ?? ''}</td></tr>`,
  ].join('');
}

/** A bar as long as its part of the whole, what was not used for the longest time on the left. */
function barPicture(index: UsageIndex, ranges: Bar['ranges'], wholeBytes: number, now: number): string {
  const width = 1000;
  const sizes = new Float64Array(ageClasses.length);
  for (const [first, end] of ranges) {
    for (let item = first; item < end; item++) sizes[ageClassOf(index.timeOf(item), now)]! += index.sizeOf(item);
  }
  let x = 0;
  const parts: string[] = [];
  for (let each = ageClasses.length - 1; each >= 0; each--) {
    const { colour, text } = ageClasses[each]!;
    const length = wholeBytes === 0 ? 0 : (sizes[each]! / wholeBytes) * width;
    if (length === 0) continue;
    const title = `<title>${formatSize(sizes[each]!)}, ${text}</title>`;
    parts.push(`<rect x="${x.toFixed(2)}" width="${length.toFixed(2)}" height="10" fill="${colour}">${title}</rect>`);
    x += length;
  }
  return `<svg viewBox="0 0 ${width} 10" preserveAspectRatio="none">${parts.join('')}</svg>`;
}

/** The way to a directory, each part of it a link to its page. */
function pathLinks(index: UsageIndex, directoryIndex: number, { disk, link, nameText }: UsagePageOptions): string {
  const way: number[] = [];
  for (let each = directoryIndex; each >= 0; each = index.directories[each]!.parentIndex) way.unshift(each);
  const parts = way.map((each, level) => {
    const { path } = index.directories[each]!;
    const name = level === 0 ? `${disk}:${nameText(path)}` : nameText(path.slice(path.lastIndexOf('/') + 1));
    const text = escapeHtml(name);
    const address = link(each);
    return each === directoryIndex || address === undefined ? text : `<a href="${escapeHtml(address)}">${text}</a>`;
  });
  const [first = '', ...rest] = parts;
  const separator = index.directories[0]!.path === '/' ? '' : '/';
  return `${first}${rest.length > 0 ? separator : ''}${rest.join('/')}`;
}

function sum(index: UsageIndex, [first, end]: readonly [number, number]): number {
  let bytes = 0;
  for (let item = first; item < end; item++) bytes += index.sizeOf(item);
  return bytes;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
