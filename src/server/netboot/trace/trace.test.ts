import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLog } from '../../../log/log.ts';
import { memorySink } from '../../../log/memory-sink.ts';
import { BootBook } from './boot-book.ts';
import { diagnose } from './diagnose.ts';
import { TraceReader } from './read-trace.ts';
import { diagnosisText, stepText } from './step-text.ts';
import { BootTrace } from './trace.ts';
import type { TraceStep } from './trace-step.ts';

const mac = '52:54:00:12:34:56';
const address = '10.9.0.20';

/** A step without its time. */
type Untimed = TraceStep extends infer Step ? (Step extends TraceStep ? Omit<Step, 'timeMs'> : never) : never;

const discover = (asker: 'firmware' | 'ipxe' | 'system', architecture = 'BIOS') =>
  ({ kind: 'discover', mac, asker, architecture }) as const;
const offer = (asker: 'firmware' | 'ipxe', fileName: string) =>
  ({ kind: 'offer', mac, asker, address, fileName }) as const;
const request = (asker: 'firmware' | 'ipxe' | 'system') => ({ kind: 'request', mac, asker, address }) as const;
const ack = (asker: 'firmware' | 'ipxe', fileName: string) => ({ kind: 'ack', mac, asker, address, fileName }) as const;
const file = (protocol: 'tftp' | 'http', name: string, status = 200, failure?: string) =>
  ({
    kind: 'file',
    protocol,
    address,
    name,
    status,
    size: status === 200 ? 1000 : undefined,
    milliseconds: 2,
    failure,
  }) as const;
const dhcp = (asker: 'firmware' | 'ipxe', name: string): Untimed[] => [
  ...[discover(asker), offer(asker, name), request(asker), ack(asker, name)],
];
const script = 'http://10.9.0.1/ipxe/52-54-00-12-34-56.ipxe';
const toScript = [...dhcp('firmware', 'undionly.kpxe'), file('tftp', 'undionly.kpxe'), ...dhcp('ipxe', script)];
const scriptGot = file('http', 'ipxe/52-54-00-12-34-56.ipxe');
const kernelFiles = ['image/web@3/boot/vmlinuz', 'image/web@3/boot/initrd.img'];
const entry = (boot: string, files: readonly string[] = kernelFiles) =>
  ({ kind: 'entry', mac, entry: 'web', boot, image: 'web@3', files }) as const;
const kernelsGot = kernelFiles.map((name) => file('http', name));
const login = (protocol: 'iscsi' | 'nbd' | 'nfs', failure?: string) =>
  ({ kind: 'login', mac, protocol, disk: '52-54-00-12-34-56', failure }) as const;
const write = { kind: 'write', mac } as const;

interface BootCase {
  readonly name: string;
  readonly steps: readonly Untimed[];
  /** Seconds after the last step at which it is looked at. */
  readonly after?: number;
  readonly says: RegExp;
}

const minutes = 600;

const cases: readonly BootCase[] = [
  // Good ones, of each way.
  {
    name: 'NBD',
    steps: [...toScript, entry('nbd'), scriptGot, ...kernelsGot, login('nbd'), write],
    after: minutes,
    says: /^running$/,
  },
  {
    name: 'iSCSI by an initramfs',
    steps: [...toScript, entry('iscsi'), scriptGot, ...kernelsGot, discover('system'), login('iscsi')],
    after: minutes,
    says: /^running$/,
  },
  {
    name: 'sanboot',
    steps: [...toScript, entry('sanboot', []), scriptGot, login('iscsi'), write],
    after: minutes,
    says: /^running$/,
  },
  {
    name: 'NFS',
    steps: [...toScript, entry('nfs'), scriptGot, ...kernelsGot, login('nfs')],
    after: minutes,
    says: /^running$/,
  },
  {
    name: 'RAM',
    steps: [
      ...toScript,
      entry('ram', [...kernelFiles, 'ram/web@3.squashfs']),
      scriptGot,
      ...kernelsGot,
      file('http', 'ram/web@3.squashfs'),
    ],
    after: minutes,
    says: /^done$/,
  },
  {
    name: 'an installer with its template',
    steps: [
      ...toScript,
      entry('kernel', ['linux', `template/${'a'.repeat(32)}/preseed.cfg`]),
      scriptGot,
      file('http', '/linux'),
      file('http', `/template/${'a'.repeat(32)}/preseed.cfg`),
    ],
    after: minutes,
    says: /^done$/,
  },
  { name: 'its own disk', steps: [...toScript, entry('local', []), scriptGot], after: minutes, says: /^done$/ },
  { name: 'a menu before which nobody sits', steps: [...toScript, scriptGot], after: minutes, says: /^waiting$/ },
  {
    name: 'iPXE in the firmware',
    steps: [...dhcp('ipxe', script), entry('nbd'), scriptGot, ...kernelsGot, login('nbd')],
    says: /^running$/,
  },
  {
    name: 'UEFI by HTTP',
    steps: [
      ...dhcp('firmware', 'http://10.9.0.1/loader/ipxe.efi'),
      file('http', 'loader/ipxe.efi'),
      ...dhcp('ipxe', script),
      scriptGot,
    ],
    says: /^waiting$/,
  },
  {
    name: 'pxelinux',
    steps: [
      ...dhcp('firmware', 'lpxelinux.0'),
      file('tftp', 'lpxelinux.0'),
      file('tftp', 'ldlinux.c32', 404),
      file('tftp', 'pxelinux.cfg/0a1b', 404),
      file('tftp', 'pxelinux.cfg/01-52-54-00-12-34-56'),
    ],
    after: minutes,
    says: /^waiting$/,
  },
  {
    name: 'firmware that asks for the size first',
    steps: [
      ...dhcp('firmware', 'undionly.kpxe'),
      file('tftp', 'undionly.kpxe', 200, 'the client gave up: TFTP Aborted'),
      file('tftp', 'undionly.kpxe'),
    ],
    says: /^booting; next: DHCP of iPXE$/,
  },
  {
    name: 'iPXE that looks for settings of its own',
    steps: [...toScript, file('tftp', 'autoexec.ipxe', 404)],
    says: /^booting; next: the script/,
  },
  {
    name: 'an address of another network, given back',
    steps: [request('firmware'), { kind: 'nak', mac, asker: 'firmware' }, ...dhcp('firmware', 'undionly.kpxe')],
    says: /^booting; next: the loader/,
  },
  {
    name: 'beside another DHCP server',
    steps: [
      discover('firmware'),
      offer('firmware', 'undionly.kpxe'),
      request('firmware'),
      file('tftp', 'undionly.kpxe'),
    ],
    says: /^booting; next: DHCP of iPXE$/,
  },
  {
    name: 'a disk that was let go',
    steps: [...toScript, entry('nbd'), scriptGot, ...kernelsGot, login('nbd'), { kind: 'end', mac }],
    says: /^ended$/,
  },
  {
    name: 'cloud-init over NBD, which looks for more than there is',
    steps: [
      ...toScript,
      entry('nbd', [...kernelFiles, 'template/…/user-data']),
      scriptGot,
      ...kernelsGot,
      login('nbd'),
      file('http', 'template/…/vendor-data', 404),
      file('http', 'favicon.ico', 404),
    ],
    says: /^running$/,
  },
  {
    name: 'an installer that takes its time',
    steps: [...toScript, entry('kernel', ['linux', 'template/…/preseed.cfg']), scriptGot, file('http', 'linux')],
    after: minutes,
    says: /^booting; next: template\/…\/preseed\.cfg$/,
  },
  {
    name: 'GRUB',
    steps: [
      ...dhcp('firmware', 'grubx64.efi'),
      file('tftp', 'grubx64.efi'),
      file('tftp', 'grub/x86_64-efi/command.lst', 404),
      file('tftp', 'grub/grub.cfg-01-52-54-00-12-34-56'),
    ],
    after: minutes,
    says: /^waiting$/,
  },
  {
    name: 'a root path alone',
    steps: [...dhcp('ipxe', 'iscsi:10.9.0.1::::x'), login('iscsi')],
    after: minutes,
    says: /^running$/,
  },
  {
    name: 'a root path alone, when iSCSI is blocked',
    steps: dhcp('ipxe', 'iscsi:10.9.0.1::::x'),
    after: 61,
    says: /^failed at login: it was told to start from iscsi:.*port of iSCSI/,
  },
  // Five faults, each at the first step that failed.
  {
    name: 'a wrong file name',
    steps: [...dhcp('firmware', 'undionly.kpxe'), file('tftp', 'pxelinux.0', 404)],
    says: /^failed at loader: it asked for pxelinux\.0 by TFTP, .* offered is undionly\.kpxe/,
  },
  {
    name: 'a loader that is missing',
    steps: [...dhcp('firmware', 'undionly.kpxe'), file('tftp', 'undionly.kpxe', 404)],
    says: /^failed at loader: there is no file undionly\.kpxe \(TFTP\), which is what DHCP offers/,
  },
  {
    name: 'a kernel that is missing',
    steps: [...toScript, entry('nbd'), scriptGot, file('http', kernelFiles[0]!, 404)],
    says: /^failed at files: there is no file image\/web@3\/boot\/vmlinuz \(HTTP\), which entry web needs/,
  },
  {
    name: 'TFTP that is blocked',
    steps: dhcp('firmware', 'undionly.kpxe'),
    after: 61,
    says: /^failed at loader: .*never asked for it: is UDP port 69.*blocked/,
  },
  {
    name: 'TFTP that is blocked, when it tries again',
    steps: [...dhcp('firmware', 'undionly.kpxe'), ...dhcp('firmware', 'undionly.kpxe')],
    after: 61,
    says: /^failed at loader: .*UDP port 69/,
  },
  {
    name: 'HTTP that is blocked',
    steps: toScript,
    after: 61,
    says: /^failed at script: iPXE was told to get http.*blocked/,
  },
  {
    name: 'no loader for an architecture',
    steps: [
      discover('firmware', 'ARM64 EFI'),
      { kind: 'offer', mac, asker: 'firmware', address },
      { kind: 'unanswered', mac, asker: 'firmware', reason: 'noLoader', architecture: 'ARM64 EFI' },
      request('firmware'),
      { kind: 'ack', mac, asker: 'firmware', address },
    ],
    says: /^failed at dhcp: there is no loader for this architecture \(ARM64 EFI\)/,
  },
  {
    name: 'a wrong login',
    steps: [...toScript, entry('sanboot', []), scriptGot, login('iscsi', 'CHAP: wrong secret')],
    says: /^failed at login: its disk 52-54-00-12-34-56 was refused by iSCSI: CHAP: wrong secret/,
  },
  // And others.
  {
    name: 'a machine that is not in the room',
    steps: [discover('firmware'), { kind: 'unanswered', mac, asker: 'firmware', reason: 'notInRoom' }],
    says: /^failed at dhcp: the room has nothing for this machine/,
  },
  {
    name: 'no address',
    steps: [discover('firmware'), { kind: 'unanswered', mac, asker: 'firmware', reason: 'noAddress' }],
    says: /^failed at dhcp: there is no address/,
  },
  {
    name: 'an offer that another was quicker than',
    steps: [discover('firmware'), offer('firmware', 'undionly.kpxe')],
    after: 61,
    says: /^failed at dhcp: undionly\.kpxe was offered and not taken/,
  },
  {
    name: 'a loader that does not start',
    steps: [...dhcp('firmware', 'undionly.kpxe'), file('tftp', 'undionly.kpxe')],
    after: 61,
    says: /^failed at ipxe dhcp: the loader was got.*Secure Boot/,
  },
  {
    name: 'a transfer that ends early',
    steps: [...dhcp('firmware', 'undionly.kpxe'), file('tftp', 'undionly.kpxe', 200, 'the client does not answer')],
    says: /^failed at loader: undionly\.kpxe could not be got by TFTP: the client does not answer/,
  },
  {
    name: 'a kernel nobody asks for',
    steps: [...toScript, entry('nbd'), scriptGot],
    after: 61,
    says: /^failed at files: entry web needs image\/web@3\/boot\/vmlinuz/,
  },
  {
    name: 'an initramfs that knows no NBD',
    steps: [...toScript, entry('nbd'), scriptGot, ...kernelsGot],
    after: minutes,
    says: /^failed at login: it has all its files and never asked for its disk \(web@3\) by NBD/,
  },
  {
    name: 'a template that was read twice',
    steps: [
      ...toScript,
      entry('kernel', ['linux']),
      scriptGot,
      file('http', `template/${'a'.repeat(32)}/preseed.cfg`, 410),
    ],
    says: /^failed at files: template\/…\/preseed\.cfg was served already/,
  },
  {
    name: 'an image that is not there',
    steps: [
      ...toScript,
      { ...entry('nbd'), failure: 'there is no image web' },
      file('http', 'ipxe/52-54-00-12-34-56.ipxe', 404),
    ],
    says: /^failed at entry: entry web could not be made ready: there is no image web/,
  },
];

const start = Date.UTC(2026, 10, 21, 14);

function timed(steps: readonly Untimed[], from = start): TraceStep[] {
  return steps.map((step, index) => ({ ...step, timeMs: from + index * 10 }));
}

function bookOf(steps: readonly TraceStep[]): BootBook {
  const book = new BootBook({ maximumMachines: 10, maximumBoots: 10, maximumStrangers: 10 });
  for (const step of steps) book.take(step);
  return book;
}

for (const { after = 1, name, says, steps } of cases) {
  test(`a trace tells of a boot: ${name}`, () => {
    const [boots] = bookOf(timed(steps)).boots();
    assert.equal(boots!.length, 1);
    assert.match(diagnosisText(diagnose(boots![0]!, start + steps.length * 10 + after * 1000)), says);
  });
}

test('a new boot begins with a DISCOVER after more than DHCP, and with the script of an entry', () => {
  const whole = [...toScript, entry('nbd'), scriptGot, ...kernelsGot, login('nbd')];
  const [boots] = bookOf(timed([...whole, ...whole, entry('nbd'), scriptGot])).boots();
  assert.deepEqual(
    boots!.map(({ steps }) => steps.length),
    [whole.length, whole.length, 2],
  );
  assert.deepEqual(
    boots!.map(({ isReplaced }) => isReplaced),
    [true, true, false],
  );
});

test('a boot that gave way to the next before it had come to something has failed', () => {
  const [boots] = bookOf(
    timed([...dhcp('firmware', 'undionly.kpxe'), file('tftp', 'undionly.kpxe'), ...dhcp('firmware', 'undionly.kpxe')]),
  ).boots();
  assert.match(
    diagnosisText(diagnose(boots![0]!, start)),
    /^failed at ipxe dhcp: the machine began again: the loader was got/,
  );
});

test('a system that has booted by itself is no boot', () => {
  assert.deepEqual(bookOf(timed([discover('system'), request('system'), write])).boots(), []);
});

test('files are told by the address that DHCP gave, and without one by the name in a script', () => {
  const other = { ...scriptGot, address: '10.9.0.99', name: 'ipxe/52-54-00-00-00-01.ipxe' };
  const kernel = { ...kernelsGot[0]!, address: '10.9.0.99' };
  const [first, second] = bookOf(timed([...toScript, scriptGot, other, kernel])).boots();
  assert.deepEqual([first!.length, first![0]!.machine, first![0]!.steps.length], [1, mac, toScript.length + 1]);
  assert.deepEqual([second![0]!.machine, second![0]!.steps.length], ['52:54:00:00:00:01', 2]);
});

function temporary(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'varve-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test('what one process traces another one reads, also when the first has ended', () => {
  using directory = temporary();
  const reader = new TraceReader(directory.path);
  assert.deepEqual(reader.read(), []);
  const steps = timed([...toScript, entry('nbd'), scriptGot]);
  {
    using trace = new BootTrace({ directory: directory.path, log: createLog() });
    for (const step of steps) trace.note(step);
  }
  assert.equal(reader.read().length, steps.length);
  {
    using trace = new BootTrace({ directory: directory.path, log: createLog() });
    trace.note({ ...login('nbd'), timeMs: start + 9999 });
  }
  assert.equal(reader.read().length, 1);
  assert.deepEqual(reader.read(), []);
  const [boots] = reader.boots();
  assert.equal(boots!.length, 1);
  assert.equal(diagnose(boots![0]!, Date.now()).state, 'running');
  assert.deepEqual(new TraceReader(directory.path).read().length, steps.length + 1);
});

test('what a stranger asks for and is refused is its own failure, and not that of the machine', () => {
  const book = new BootBook({ maximumMachines: 10, maximumBoots: 2, maximumStrangers: 10 });
  const [stranger, elsewhere] = ['52:54:00:00:00:66', '10.9.0.50'];
  let timeMs = 0;
  for (const step of [...toScript, entry('nbd'), scriptGot, ...kernelsGot, login('nbd'), write]) {
    book.take({ ...step, timeMs: ++timeMs } as TraceStep);
  }
  const failure = 'it is not its own';
  book.take({ kind: 'entry', timeMs: ++timeMs, mac: stranger, address: elsewhere, entry: 'web', boot: 'nbd', failure });
  const refused = { ...file('http', 'ipxe/52-54-00-12-34-56/web.ipxe', 403, failure), address: elsewhere, timeMs };
  book.take(refused as TraceStep);
  const said = book.boots().map((boots) => [boots[0]!.machine, boots.length, diagnose(boots.at(-1)!, timeMs).state]);
  assert.deepEqual(said, [
    [mac, 1, 'running'],
    [stranger, 1, 'failed'],
  ]);
});

test('tokens of templates are not in the journal', () => {
  using directory = temporary();
  const token = 'ab'.repeat(16);
  {
    using trace = new BootTrace({ directory: directory.path, log: createLog() });
    const names = [`template/${token}/preseed.cfg`, `http://10.9.0.1/template/${token}/preseed.cfg`];
    trace.note({ ...entry('kernel', names), timeMs: start });
    for (const name of names) trace.note({ ...file('http', name), mac, timeMs: start + 1 });
  }
  const reader = new TraceReader(directory.path);
  reader.read();
  assert.doesNotMatch(JSON.stringify(reader.boots()), /abab/);
  assert.equal(diagnose(reader.boots()[0]![0]!, Date.now()).state, 'done');
});

test('a flood of machines that nobody knows neither grows the journal nor takes the trace of a known one', () => {
  using directory = temporary();
  const failures: string[] = [];
  {
    using trace = new BootTrace({
      directory: directory.path,
      log: createLog(),
      onFailure: ({ machine }) => failures.push(machine),
    });
    for (const step of timed([...toScript, entry('nbd'), scriptGot])) trace.note(step);
    for (let count = 0; count < 20_000; count += 1) {
      const stranger = Array.from({ length: 6 }, (_, at) =>
        ((count >> (at * 4)) & 255).toString(16).padStart(2, '0'),
      ).join(':');
      trace.note({ ...discover('firmware', 'x'.repeat(5000)), mac: stranger, timeMs: start + 1000 + count });
    }
    assert.ok(trace.boots().length <= 1024 + 256);
  }
  const size = readdirSync(directory.path).reduce((sum, name) => sum + statSync(join(directory.path, name)).size, 0);
  assert.ok(size < 8 * 2 ** 20, `${size} bytes`);
  const reader = new TraceReader(directory.path);
  reader.read();
  const own = reader.boots().find((boots) => boots[0]!.machine === mac);
  assert.equal(own?.[0]?.steps.length, toScript.length + 2);
  assert.deepEqual(failures, []);
});

test('a boot has a scope of the log, and what led to its failure is printed with it, once', () => {
  using directory = temporary();
  const sink = memorySink();
  const failed: string[] = [];
  using trace = new BootTrace({
    directory: directory.path,
    log: createLog({ sinks: [sink] }),
    onFailure: (boot, { failure }) => failed.push(`${boot.machine} ${failure?.stage}`),
  });
  const steps = [...toScript, entry('nbd'), scriptGot, file('http', kernelFiles[0]!, 404)];
  for (const step of timed(steps)) trace.note(step);
  trace.look(start + 60_000);
  trace.look(start + 60_000);
  assert.deepEqual(failed, [`${mac} files`]);
  assert.match(
    sink.texts().join('\n'),
    /boot of 52:54:00:12:34:56[\s\S]*DISCOVER[\s\S]*TFTP 200[\s\S]*failed at files: there is no file image\/web@3\/boot\/vmlinuz/,
  );
});

test('a machine that fails in the same way again and again is told once, until it has got further', () => {
  using directory = temporary();
  const failed: string[] = [];
  using trace = new BootTrace({
    directory: directory.path,
    log: createLog(),
    onFailure: (_boot, { failure }) => failed.push(failure!.reason),
  });
  let now = start;
  const boot = (...steps: readonly Untimed[]) => {
    for (const step of timed([...toScript, entry('nbd'), scriptGot, ...steps], now)) trace.note(step);
    now += 60_000;
    trace.look(now);
  };
  const missing = file('http', kernelFiles[0]!, 404);
  for (let count = 0; count < 3; count += 1) boot(missing);
  assert.equal(failed.length, 1);
  boot(...kernelsGot, login('nbd'));
  boot(missing);
  assert.equal(failed.length, 2);
});

const hostileText = fc.string({ unit: 'binary', maxLength: 400 });
const hostileStep = fc.record({
  timeMs: fc.integer({ min: 0, max: 2 ** 45 }),
  kind: fc.constantFrom(
    'discover',
    'offer',
    'request',
    'ack',
    'nak',
    'unanswered',
    'file',
    'entry',
    'login',
    'write',
    'end',
  ),
  asker: fc.constantFrom('firmware', 'ipxe', 'system'),
  reason: fc.constantFrom('noLoader', 'notInRoom'),
  protocol: fc.constantFrom('tftp', 'http'),
  mac: fc.oneof(fc.constant(mac), fc.constant(undefined), hostileText),
  address: fc.oneof(fc.constant(address), hostileText),
  ...{
    fileName: hostileText,
    name: hostileText,
    detail: hostileText,
    disk: hostileText,
    entry: hostileText,
    boot: hostileText,
  },
  architecture: hostileText,
  status: fc.constantFrom(200, 404, 410, 500),
  files: fc.array(hostileText, { maxLength: 40 }),
  failure: fc.option(hostileText, { nil: undefined }),
});

test('whatever comes, memory is bounded, nothing is thrown and nothing is obeyed', () => {
  fc.assert(
    fc.property(fc.array(hostileStep, { maxLength: 300, size: 'max' }), (steps) => {
      const book = new BootBook({ maximumMachines: 3, maximumBoots: 2, maximumStrangers: 2 });
      for (const step of steps as unknown as TraceStep[]) {
        const placed = book.take(step);
        if (placed === undefined) continue;
        const shown = [...stepText(placed.step), diagnosisText(diagnose(placed.boot, step.timeMs))].join('');
        assert.doesNotMatch(shown, /[\p{Cc}\u202e]/u);
        assert.ok(JSON.stringify(placed.step).length < 60_000);
      }
      const lists = book.boots();
      assert.ok(lists.length <= 5);
      for (const boots of lists) {
        assert.ok(boots.length <= 2);
        for (const boot of boots) assert.ok(boot.steps.length <= 96);
      }
    }),
    { numRuns: 60 },
  );
});
