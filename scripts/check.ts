/** `npm run check`: types, lint and format, dead code, layering, all at once. Prints what each found. */
import { sourceChecks, tidyCheck } from './check/checks.ts';
import { runChecks } from './check/run-checks.ts';

const clean = await runChecks({ ...sourceChecks, ...tidyCheck });
process.exitCode = clean ? 0 : 1;
