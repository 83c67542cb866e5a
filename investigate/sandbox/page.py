"""The markup of the Updates panel: a page that needs nothing but itself, light or dark as the reader has it.

Templates of `string.Template`; `updates.py` fills them with escaped text.
"""

from typing import Final

PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Updates · $workspace</title>
<style>
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --ground: #f6f7f9; --card: #fff; --line: #e3e5ea;
  --accent: #3451d1; --badge: #e8ecfd; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a0a5ae; --ground: #111316; --card: #1a1d21;
  --line: #2c3036; --accent: #8da4ff; --badge: #262d4a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
header { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; margin-bottom: 1.5rem; }
h1 { margin: 0; font-size: 1.5rem; letter-spacing: -.01em; }
h2 { display: flex; align-items: center; gap: .5rem; margin: 2rem 0 .75rem; font-size: .95rem; }
h2 span { padding: 0 .5rem; border-radius: 1rem; background: var(--badge); color: var(--accent); font-size: .8rem; }
p { margin: .25rem 0 .75rem; overflow-wrap: anywhere; }
small, time, .org { color: var(--soft); font-size: .85rem; }
article { margin-bottom: .75rem; padding: 1rem 1.25rem; border: 1px solid var(--line); border-radius: .75rem;
  background: var(--card); }
article div { display: flex; justify-content: space-between; gap: 1rem; }
h3 { margin: 0; font-size: 1rem; unicode-bidi: isolate; overflow-wrap: anywhere; }
time { white-space: nowrap; }
.link { display: inline-block; margin-right: .75rem; padding: .35rem .9rem; border-radius: .5rem;
  background: var(--accent); color: var(--card); font-weight: 600; text-decoration: none; }
.link:focus-visible, .link:hover { outline: 2px solid var(--accent); outline-offset: 2px; }
.empty { padding: 1rem 1.25rem; border: 1px dashed var(--line); border-radius: .75rem; color: var(--soft); }
</style>
</head>
<body>
<main>
<header><h1>Updates</h1><span class="org">$workspace, sandbox</span></header>
<section id="important"><h2>Important <span>$important_count</span></h2>
$important
</section>
<section id="others"><h2>Others <span>$others_count</span></h2>
$others
</section>
</main>
</body>
</html>
"""

CARD: Final = """\
<article data-kind="$kind">
<div><h3>$title</h3><time datetime="$when">$when</time></div>
<p>$text</p>
$action
</article>
"""

EMPTY: Final = '<p class="empty">Nothing here.</p>'
