import fs from 'node:fs';
import { systemError } from '../base/varve-error.ts';
import type { UsageIndex } from '../guest/usage/usage-index.ts';
import { type UsagePageOptions, usageLegend, usagePage, usageSection } from '../guest/usage/usage-page.ts';
import { type ServeUsageOptions, serveUsage } from '../server/usage/serve-usage.ts';
import type { CommandContext } from './framework/command-context.ts';

/** Serves the pages of an index until the command is stopped. @throws VarveError as `serveUsage` does */
export async function servePages(
  context: CommandContext,
  index: UsageIndex,
  options: ServeUsageOptions,
  signal: AbortSignal,
): Promise<void> {
  await using server = await serveUsage(index, options);
  const { url } = server;
  context.show({ url }, () => `serving ${url}`);
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

/** Where a page is written to, and how many levels of directories are on it. */
interface PageFile {
  readonly path: string;
  readonly depth: number;
  readonly force?: boolean | undefined;
}

/** Writes one page with all directories down to a depth. @throws VarveError `EXISTS` without `force`, `NO_SPACE`, … */
export async function writePages(
  index: UsageIndex,
  pages: Omit<UsagePageOptions, 'link'>,
  { depth, force, path }: PageFile,
): Promise<void> {
  const isShown = (each: number): boolean => index.directories[each]!.depth <= depth;
  const link = (each: number): string | undefined => (isShown(each) ? `#d${each}` : undefined);
  const totals = index.totals();
  const sections: string[] = [];
  for (const each of index.directories.keys()) {
    if (isShown(each)) sections.push(usageSection(index, totals, each, { ...pages, link }));
  }
  const title = `${pages.disk}:${pages.nameText(index.directories[0]!.path)}`;
  try {
    fs.writeFileSync(path, usagePage(title, [usageLegend(pages), ...sections]), { flag: force ? 'w' : 'wx' });
  } catch (error) {
    throw systemError(`write ${path}`, error);
  }
}
