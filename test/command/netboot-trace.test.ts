import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createLog } from '../../src/log/log.ts';
import { traceDirectory } from '../../src/server/netboot/trace/read-trace.ts';
import { BootTrace } from '../../src/server/netboot/trace/trace.ts';
import { Workplace } from './varve.ts';

const mac = '52:54:00:12:34:56';
const address = '10.9.0.20';

/** A store whose server has seen a machine boot, to the kernel. */
function traced(t: TestContext, kernelStatus: number) {
  const place = new Workplace(t);
  const trace = new BootTrace({ directory: traceDirectory(place.store), log: createLog() });
  t.after(() => trace[Symbol.dispose]());
  const timeMs = Date.now();
  const fileName = 'http://10.9.0.1/ipxe/52-54-00-12-34-56.ipxe';
  trace.note({ kind: 'discover', mac, asker: 'ipxe', architecture: 'BIOS', timeMs });
  trace.note({ kind: 'ack', mac, asker: 'ipxe', address, fileName, timeMs });
  const entry = { name: 'alice', entry: 'rescue', boot: 'kernel', files: ['linux\u202e'] };
  trace.note({ kind: 'entry', mac, ...entry, timeMs: timeMs + 5 });
  const file = { kind: 'file', protocol: 'http', address } as const;
  trace.note({ ...file, name: 'linux\u202e', status: kernelStatus, timeMs: timeMs + 20 });
  return { place, trace };
}

test('varve netboot trace shows the last boots, and has status 1 where one has failed', async (t) => {
  const { place, trace } = traced(t, 404);
  trace[Symbol.dispose]();
  const all = await place.run(['netboot', 'trace']);
  assert.equal(all.status, 1);
  assert.match(
    all.stdout,
    /^alice +52:54:00:12:34:56 +rescue +\S+ +failed at files: there is no file linux\\u202e \(HTTP\), which entry rescue needs$/m,
  );
  const one = await place.run(['netboot', 'trace', '52-54-00-12-34-56']);
  assert.equal(one.status, 1);
  assert.match(
    one.stdout,
    /^52:54:00:12:34:56 \(alice, rescue\), .*\n {2}0\.000 {2}DISCOVER .*\n {2}0\.000 {2}ACK .*\n {2}0\.005 {2}boot .*\n {2}0\.020 {2}HTTP 404 {2}linux\\u202e\nfailed at files: .*\n$/,
  );
  const [boot] = JSON.parse((await place.run(['netboot', 'trace', 'alice', '--json'])).stdout);
  assert.partialDeepStrictEqual(boot, { machine: mac, name: 'alice', state: 'failed', failure: { stage: 'files' } });
  assert.deepEqual(
    boot.steps.map(({ kind }: { kind: string }) => kind),
    ['discover', 'ack', 'entry', 'file'],
  );
});

test('varve netboot trace has status 0 where all went well, and says of whom nothing was seen', async (t) => {
  const { place, trace } = traced(t, 200);
  trace[Symbol.dispose]();
  assert.match(await place.varve('netboot', 'trace', 'alice'), /\ndone$/);
  const { status, stderr } = await place.run(['netboot', 'trace', 'bob']);
  assert.equal(status, 3);
  assert.match(stderr, /there is no trace of bob/);
  const nobody = await new Workplace(t).run(['netboot', 'trace']);
  assert.deepEqual([nobody.status, nobody.stdout], [0, '']);
});

test('varve netboot trace --follow shows steps as they come', async (t) => {
  const { place, trace } = traced(t, 404);
  trace[Symbol.dispose]();
  const later = new BootTrace({ directory: traceDirectory(place.store), log: createLog() });
  t.after(() => later[Symbol.dispose]());
  const outcome = await place.run(['netboot', 'trace', 'alice', '--follow'], {
    started: (child) => {
      let seen = '';
      child.stdout!.on('data', (bytes) => {
        const before = seen;
        seen += bytes;
        const file = { kind: 'file', protocol: 'http', address, mac, name: 'linux\u202e', status: 200 } as const;
        if (/-- alice: failed/.test(seen) && !/-- alice: failed/.test(before))
          later.note({ ...file, timeMs: Date.now() });
        if (/-- alice: done/.test(seen)) child.kill('SIGTERM');
      });
    },
  });
  assert.equal(outcome.signal, 'SIGTERM');
  assert.match(
    outcome.stdout,
    /DISCOVER[\s\S]*HTTP 404[\s\S]*-- alice: failed at files[\s\S]*HTTP 200[\s\S]*-- alice: done\n$/,
  );
});
