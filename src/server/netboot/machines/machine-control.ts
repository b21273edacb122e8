import { VarveError } from '../../../base/varve-error.ts';
import type { ControlMessage, ControlServer } from '../../control/control-server.ts';
import type { Machines } from './machines.ts';

/** Where machines are talked about. */
export const machinesPath = '/machines';

/** Lets others talk about machines, until it is disposed of. */
export function answerForMachines(control: ControlServer, machines: Machines): Disposable {
  using handlers = new DisposableStack();
  const handle = (action: string, perform: (message: ControlMessage) => Promise<ControlMessage | void>): void =>
    void handlers.use(
      control.handle('POST', `${machinesPath}/${action}`, async (message) => (await perform(message)) ?? {}),
    );
  handlers.use(control.handle('GET', machinesPath, () => ({ machines: machines.list() })));
  handle('commit', async (message) => {
    const { force, image, machine, ...details } = message;
    const { snapshot } = await machines.commit({
      ...{ machine: textOf(machine), image: textOf(image), force: force === true },
      ...{ message: optionalText(details.message), author: optionalText(details.author) },
      time: typeof details.time === 'number' ? details.time : undefined,
    });
    return { reference: snapshot && `${snapshot.image}@${snapshot.number}` };
  });
  handle('reset', async ({ force, image, machine }) => ({
    images: await machines.reset(textOf(machine), { force: force === true, image: optionalText(image) }),
  }));
  handle('next', async ({ image, machine }) => await machines.setNext(textOf(machine), optionalText(image)));
  handle('flush', async ({ machine }) => ({ isConnected: await machines.flush(textOf(machine)) }));
  return handlers.move();
}

function optionalText(value: unknown): string | undefined {
  return value === undefined ? undefined : textOf(value);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new VarveError('INVALID', `${JSON.stringify(value)} is no text`);
}
