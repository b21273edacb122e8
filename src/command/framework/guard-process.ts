import { internalErrorStatus } from '../../base/exit-status.ts';

/**
 * Sees to it that an end that nobody foresaw, by an error in some callback or in the middle of a wait for what never
 * comes, is told and never looks like success (0) or a difference (1). Disposing says that all is done; an error that
 * still comes, such as one from standard output, is reported even then.
 */
export function guardProcess(report: (error: unknown) => Promise<number>): Disposable {
  const onUncaught = (error: unknown) => {
    process.off('exit', onExit);
    void report(error).then((status) => process.exit(status));
  };
  const onExit = (status: number) => {
    if (status === internalErrorStatus) {
      process.stderr.write('varve: internal error: the work came to an end in the middle; please report it\n');
    }
  };
  process.exitCode = internalErrorStatus;
  process.once('uncaughtException', onUncaught);
  process.once('exit', onExit);
  return {
    [Symbol.dispose]: () => {
      process.off('exit', onExit);
    },
  };
}
