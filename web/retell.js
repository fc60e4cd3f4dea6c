// Another language: what the service said in the old one is asked for anew, or goes.
import { again } from './pin.js';
import { set, state } from './state.js';
import { follow } from './track.js';

/** What this page says itself it says in either language. @param {import('./api.js').Problem | null} problem */
const own = (problem) => (problem?.status ? null : problem);

/** Findings are followed by their language anyway. */
export function retell() {
  const { sendProblem, verdictProblem, undoProblem, keyProblem } = state;
  set({ sendProblem: own(sendProblem), verdictProblem: own(verdictProblem), undoProblem: own(undoProblem), keyProblem: own(keyProblem) });
  if (state.pinProblem?.status) again();
  // What happened to a report is told in words too.
  if (state.view === 'track' && state.token) follow(state.token);
}
