import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { bundleForBrowsers } from '../../scripts/setup/browser-bundle.mjs';
import { browserProgram, type HeadlessBrowser, startBrowser } from '../browser/headless-browser.ts';
import { fetchedBytes, servePages } from '../browser/page-server.ts';
import { etcCount, osRelease, sampleImages } from '../browser/sample-image.ts';
import type { RangeServer } from '../http/range-server.ts';
import { skipWithout } from './require-tool.ts';

/** What the whole job may take of the image. */
const mostBytes = 5_000_000;
const gibibyte = 2 ** 30;

const images: Readonly<Record<string, readonly string[]>> = {
  'plain.qcow2': ['-O', 'qcow2'],
  'zstd.qcow2': ['-c', '-O', 'qcow2', '-o', 'compression_type=zstd'],
  'deflate.qcow2': ['-c', '-O', 'qcow2', '-o', 'compression_type=zlib'],
  'stream.vmdk': ['-O', 'vmdk', '-o', 'subformat=streamOptimized'],
};

/** In the page: opens a disk, lists `/etc`, and shows a file through a symlink. */
function lookInside(source: string): string {
  return `(async () => {
    const { openDisk, openFiles } = await import('/varve/index.js');
    await using disk = await openDisk(${source});
    await using files = await openFiles(disk);
    const names = (await files.list('/etc')).map(({ name }) => name);
    const text = new TextDecoder().decode(await files.read('/etc/release'));
    return { size: disk.device.size, count: names.length, text, fetched: disk.fetched.byteCount };
  })()`;
}

suite('in a browser', { skip: skipWithout(browserProgram, 'mke2fs', 'qemu-img') }, () => {
  let bundle = '';
  let contents: Awaited<ReturnType<typeof sampleImages>> = {};
  let browser: HeadlessBrowser;

  before(async () => {
    bundle = await mkdtemp(join(tmpdir(), 'varve-'));
    await bundleForBrowsers(bundle);
    contents = await sampleImages(2 * gibibyte, images, 24 * 2 ** 20);
    browser = await startBrowser();
  });

  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await rm(bundle, { recursive: true, force: true });
  });

  async function serve(name: string, headers?: () => Record<string, string>): Promise<RangeServer> {
    const directories = { varve: bundle, examples: join(projectDirectory, 'docs/examples') };
    return await servePages({ content: () => contents[name]!, directories, ...(headers && { headers }) });
  }

  for (const name of Object.keys(images)) {
    test(`${name} of 2 GiB is looked into by less than 5 MB of it`, async (t) => {
      await using server = await serve(name);
      const page = await browser.open(new URL('/', server.url).href);
      const found = (await page.evaluate(lookInside(`'/${name}'`))) as { fetched: number };
      const fetched = fetchedBytes(server);
      assert.deepEqual(found, { size: 2 * gibibyte, count: etcCount, text: osRelease, fetched: found.fetched });
      assert.ok(contents[name]!.length > 4 * mostBytes, 'the image is much longer than that');
      assert.ok(fetched < mostBytes, `${fetched} bytes`);
      // What was asked for ahead, and given up at the end, did not come.
      assert.ok(found.fetched > 0 && found.fetched <= fetched, `the disk says ${found.fetched} of ${fetched} bytes`);
      t.diagnostic(`fetched ${fetched} of ${contents[name]!.length} bytes in ${server.asked.length} requests`);
    });
  }

  test('a Blob is looked into', async () => {
    await using server = await serve('zstd.qcow2');
    const page = await browser.open(new URL('/', server.url).href);
    const blob = `await (await fetch('/disk', { headers: { range: 'bytes=0-${2 ** 40}' } })).blob()`;
    const found = await page.evaluate(lookInside(`new File([${blob}], 'web.qcow2')`));
    assert.partialDeepStrictEqual(found, { count: etcCount, text: osRelease });
  });

  test('a server of another origin has to let pages see its headers', async () => {
    await using pages = await serve('zstd.qcow2');
    const page = await browser.open(new URL('/', pages.url).href);
    const allowed = { etag: '"1"', 'access-control-allow-origin': '*' };
    const exposed = { ...allowed, 'access-control-expose-headers': 'Content-Range, ETag' };
    await using open = await serve('zstd.qcow2', () => exposed);
    const found = await page.evaluate(lookInside(`'${open.url}'`));
    assert.partialDeepStrictEqual(found, { count: etcCount, text: osRelease });
    await using hidden = await serve('zstd.qcow2', () => allowed);
    await assert.rejects(page.evaluate(lookInside(`'${hidden.url}'`)), /Access-Control-Expose-Headers: Content-Range/);
  });

  test('the example page lists a directory and shows a file', async () => {
    await using server = await serve('zstd.qcow2');
    const page = await browser.open(new URL('/examples/browser.html', server.url).href);
    const shown = await page.evaluate(`(async () => {
      document.querySelector('#address').value = '/disk.qcow2';
      document.querySelector('#open').requestSubmit();
      const until = async (found) => {
        while (!found()) await new Promise((resolve) => setTimeout(resolve, 20));
        return found();
      };
      const link = (name) => [...document.querySelectorAll('#files a')].find((each) => each.textContent === name);
      (await until(() => link('etc/'))).click();
      const count = (await until(() => link('os-release') && document.querySelectorAll('#files a'))).length;
      link('os-release').click();
      return { count, text: await until(() => document.querySelector('#content').textContent) };
    })()`);
    // The way up is listed, too.
    assert.deepEqual(shown, { count: etcCount + 1, text: osRelease });
  });
});
