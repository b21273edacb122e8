import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { type RangeServer, type RangeServerOptions, serveRanges } from '../http/range-server.ts';

/** What a server of pages serves. */
export interface PageServerOptions extends Omit<RangeServerOptions, 'instead'> {
  /** Directories by the first name of the addresses that lead there: `varve` for `/varve/index.js`. */
  readonly directories: Readonly<Record<string, string>>;
}

const types: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript' };

/** Serves pages and scripts from directories, an empty page as `/`, and a disk file, in ranges, everywhere else. */
export async function servePages({ directories, ...options }: PageServerOptions): Promise<RangeServer> {
  return await serveRanges({
    ...options,
    instead({ request, response }) {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const [, first = '', rest = ''] = /^\/([^/]*)\/?(.*)$/.exec(pathname) ?? [];
      const directory = directories[first];
      if (first !== '' && directory === undefined) return false;
      const type = directory === undefined ? 'html' : (/\.(\w+)$/.exec(rest)?.[1] ?? '');
      const content =
        directory === undefined ? '<!doctype html>' : readFileSync(join(directory, normalize(`/${rest}`)));
      response.writeHead(200, { 'content-type': types[type] ?? 'application/octet-stream' }).end(content);
      return true;
    },
  });
}

/** How many bytes of the disk file were asked for. */
export function fetchedBytes({ asked }: RangeServer): number {
  return asked.filter(({ length }) => length > 0).reduce((sum, { length }) => sum + length, 0);
}
