#include "server/status/status_page.h"

namespace vuf {

const char kStatusScript[] =
    R"js(// Puts the page as it is now in the place of what was, every five seconds.
"use strict";
async function refresh() {
  const note = document.getElementById("note");
  try {
    const answer = await fetch("/", {cache: "no-store", signal: AbortSignal.timeout(4000)});
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.title = page.title;
    note.textContent = "";
  } catch (error) {
    note.textContent = "No answer from vufd (" + error.message + "): this is how it was.";
  }
  setTimeout(refresh, 5000);
}
setTimeout(refresh, 5000);
)js";

const char kStatusStyle[] = R"css(:root { color-scheme: light dark; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; }
table { border-collapse: collapse; margin: 0.5em 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2em 1em 0.2em 0; border-bottom: 1px solid #8886; }
.good { color: #1a7f37; }
.bad { color: #cf222e; font-weight: bold; }
.doubtful { color: #9a6700; }
@media (prefers-color-scheme: dark) {
  .good { color: #3fb950; }
  .bad { color: #f85149; }
  .doubtful { color: #d29922; }
}
#note { color: #cf222e; }
)css";

}  // namespace vuf
