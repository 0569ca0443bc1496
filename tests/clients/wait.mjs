// Waiting without guessing how long.

const LIMIT_MS = 30_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// Polls until the condition returns something true, and returns that.
export async function until(what, condition) {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still not true after ${LIMIT_MS} ms: ${what}`);
    await sleep(5);
  }
}
