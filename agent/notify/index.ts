// The front of what tells others: requests as forges and receivers want them, how they are sent, what an answer means.

export { cut, isShownAlready, letterOf, resolveSettings } from "./forges.js";
export { type LinkedEvent, MOST_LINES, slackLetter, webhookLetter } from "./messages.js";
export {
  LONGEST_TRIED,
  MOST_ATTEMPTS,
  type Outcome,
  outcomeOf,
  outcomeOfError,
  waitAfter,
} from "./outcome.js";
export { type AdmitTarget, type Answer, createPost, type Letter, type Post, type PostDeps } from "./post.js";
