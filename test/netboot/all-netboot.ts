/**
 * Real machines, emulated, that boot over the network in every way there is, with their own firmware and loaders: some minutes.
 * `npm run test:netboot`
 */
import './boot-ways.ts';
import './firmware.ts';
import './installer.ts';
import './overlays.ts';
import './killed-server.ts';
import './faults.ts';
