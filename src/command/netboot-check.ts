import { machinesHolder } from '../image/machine/hold-machines.ts';
import type { Finding } from '../server/netboot/check/finding.ts';
import { needsNoImage, portsOf, roomOfOptions, roomOptionNames } from './input/room-options.ts';
import type { NetbootVerb } from './netboot-verb.ts';

const failedStatus = 1;
const marks = { ok: 'ok', warning: 'WARNING', problem: 'PROBLEM' } as const;

/** `varve netboot check`: looks at a room from outside, before its first machine is switched on. Its status is 1 for problems. */
export const checkVerb: NetbootVerb = {
  words: [],
  options: roomOptionNames,
  async run(context, _words, options) {
    const signal = await context.startWork();
    const [{ checkNetboot }, { Privileges }, { ControlServer }] = await Promise.all([
      import('../server/netboot/check/check-netboot.ts'),
      import('../server/netboot/privileges.ts'),
      import('../server/control/control-server.ts'),
    ]);
    const room = await roomOfOptions(options);
    const ports = await portsOf(options.port ?? []);
    const privileges = Privileges.take(options.user, context.storePath);
    await using store = await context.openStore({ create: needsNoImage(room) });
    await using control = await ControlServer.listen();
    const isServed = machinesHolder(store) !== undefined;
    const findings: Finding[] = [];
    for await (const finding of checkNetboot({ room, store, control, ports, privileges, signal, isServed })) {
      findings.push(finding);
      if (!context.json) context.print(findingLine(finding));
    }
    const problems = findings.filter(({ state }) => state === 'problem').length;
    if (context.json) context.show({ findings, problems }, () => '');
    else
      context.print(
        problems === 0
          ? 'machines can be switched on'
          : `${problems} problem${problems === 1 ? '' : 's'}; machines will not all boot`,
      );
    return problems === 0 ? undefined : failedStatus;
  },
};

function findingLine({ detail, state, what }: Finding): string {
  return `${marks[state].padEnd(8)} ${what}: ${detail}`;
}
