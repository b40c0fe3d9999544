package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// canvases are the pictures of all charts as they are drawn, by the name of the chart.
const canvases = `Object.fromEntries([...document.querySelectorAll('.chart')].map(c => [c.id, c.querySelector('canvas')?.toDataURL() ?? '']))`

func TestEverythingMoves(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	before := eval[map[string]string](p, canvases)
	if len(before) != 3 {
		t.Fatalf("there are %d charts", len(before))
	}
	p.wait("the charts have no points", `document.querySelector('#chart-rate b').innerText !== '–'`)
	for name := range before {
		moved := 0
		last := eval[map[string]string](p, canvases)[name]
		eventually(t, name+" stands still", func() bool {
			if now := eval[map[string]string](p, canvases)[name]; now != last {
				last, moved = now, moved+1
			}
			return moved >= 3
		})
	}
	p.wait("the figures stand still", `(window.seen ??= new Set()).add(document.querySelector('#t-admitted').innerText).size >= 3`)
	p.wait("nobody is denied", `parseFloat(document.querySelector('#t-denied').innerText) > 1`)
}

// A change can reach the page before its author's name does. The name is shown once it is known.
func TestTheLogNamesAnAuthorThatIsHeardOfLater(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	got := eval[bool](p, `import('/ui/log.js').then(({ showLog }) => {
		const tick = (nodes, log) => showLog({ nodes, log, reset: false, node: { now_ms: Date.now() } });
		const entry = { seq: 1e9, at_ms: Date.now(), level: 'info', text: 'limit changed by a peer', attrs: [['limit', 'late'], ['incarnation', 'zz']], times: 1 };
		const told = () => document.querySelector('#log li').innerText;
		tick([], [entry]);
		const before = told();
		tick([{ incarnation: 'zz', name: 'n9' }], []);
		window.told = { before, after: told() };
	}) instanceof Promise`)
	if !got {
		t.Fatal("the module is not asked for")
	}
	p.wait("the author's name is not shown", `window.told && /incarnation zz/.test(told.before) && /by node n9/.test(told.after) && !/zz/.test(told.after)`)
}

// A bounded limit has a bound of two parts, and clients of it have accounts.
func TestABoundedLimitShowsItsCapAndItsAccounts(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	p.wait("the table does not tell X from r·σ", `[...document.querySelector('#limits').tBodies[0].rows].some(r => /^paid/.test(r.innerText) && /\s3 \+ [\d.]+\s/.test(r.innerText))`)
	if !eval[bool](p, `(() => { const l = document.querySelector('#limit'); l.value = 'paid'; return l.dispatchEvent(new Event('change', {bubbles: true})); })()`) {
		t.Fatal("the limit cannot be chosen")
	}
	p.wait("the sentence does not tell X from r·σ", `/At worst, one client got X \+ r·σ, 3 \+ [\d.]+ = [\d.]+ units beyond 60 per 1m/.test(document.querySelector('#bound-text').innerText)`)
	p.do(chromedp.SendKeys("#ask-client", "somebody"+kb.Enter))
	p.wait("the account is not explained", `/This node may admit\s+(nothing of its share of 20 \(it owes [\d.]+ first\)|[\d.]+ of its share of 20), credit 1, and 0 borrowed; it lent 0/.test(document.querySelector('#explain-body').innerText)`)
}

// A person who knows nothing of the page finds the four answers on it.
func TestThePageAnswersTheFourQuestions(t *testing.T) {
	c := start(t)
	if _, err := c.members[1].node.Load().SetLimit("login", node.Policy{Limit: 4, Window: time.Minute}); err != nil {
		t.Fatal(err)
	}
	p := show(t, c.members[0])
	p.wait("is it healthy?", `document.querySelector('#health').innerText.includes('Healthy') && document.querySelector('#health').innerText.includes('3 nodes of 3 hear each other')`)
	p.wait("who is denied, and why?", `[...document.querySelectorAll('#clients li')].filter(l => /greedy-\d[^]*in [^]*denied[^]*Asks all nodes for about [\d,.]+\/s\. Its rule allows 10\/s/.test(l.innerText)).length === 4`)
	p.wait("how wrong can it be?", `/At worst, one client got [\d.,]+ units beyond 100 per 10s, burst 20: \d+ % of a window\. Expect about [\d.]+\. The most that this node saw is [\d.]+\./.test(document.querySelector('#bound-text').innerText)`)
	p.wait("what changed?", `/Limit changed by a peer: login[^]*5 per 1m → 4 per 1m[^]*by node n2/.test(document.querySelector('#log').innerText)`)
	if rows := eval[int](p, `document.querySelector('#nodes').tBodies[0].rows.length`); rows != 3 {
		t.Errorf("the table has %d nodes", rows)
	}
	if got := eval[string](p, `document.querySelector('#graph').getAttribute('aria-label')`); got != "3 nodes. All of them hear each other." {
		t.Errorf("the drawing says %q", got)
	}
	p.do(chromedp.Click(chromedp.CSS("#clients li button")))
	p.wait("the explanation does not come", `/Denied now|would pass now/.test(document.querySelector('#explain-body').innerText)`)
	for _, want := range []string{"100 per 10 s, burst 20 (the limit's own)", "Asks all nodes for", "by node", "n1", "n2", "n3"} {
		if got := p.text("#explain"); !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestALimitIsChangedWithTheTokenAndThePreviewSaysWhomItDenies(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	p.wait("no client is known yet", `[...document.querySelectorAll('#clients li')].length >= 4`)
	p.do(chromedp.Click(chromedp.CSS(`#limits [aria-label="Change default"]`)), chromedp.WaitVisible(chromedp.CSS("#edit")))
	p.wait("the form is empty", `document.querySelector('#edit-limit').value === '100' && document.querySelector('#edit-window').value === '10'`)
	set := func(id, value string) {
		p.do(chromedp.Focus(chromedp.CSS(id)))
		eval[bool](p, fmt.Sprintf(`document.querySelector(%q).select() ?? true`, id)) // as Ctrl-A does
		p.do(chromedp.KeyEvent(value))
	}
	set("#edit-limit", "2000")
	p.wait("the preview", `/200\/s\. At their present rates it denies 0 of the \d+ heaviest clients\. The present limit denies 4\./.test(document.querySelector('#edit-preview').innerText)`)
	set("#edit-limit", "60")
	set("#edit-burst", "15")
	p.wait("the preview", `/6\/s\. At their present rates it denies 4 of the \d+ heaviest clients: greedy-\d \([\d.]+\/s\), .* and 1 more\. The present limit denies 4\./.test(document.querySelector('#edit-preview').innerText)`)
	p.picture("edit", false)
	p.tolerant = true // the console tells of the refusal
	p.do(chromedp.Click(chromedp.CSS("#edit-save")))
	p.wait("nothing says that the token is missing", `/admin token/.test(document.querySelector('#edit-error').innerText)`)
	p.mu.Lock()
	p.console = nil // a refusal is an error in the console, which only this one may be
	p.mu.Unlock()
	if limit := c.members[0].node.Load().Limits()["default"].Limit; limit != 100 {
		t.Fatalf("without the token the limit became %d", limit)
	}
	set("#edit-token", token)
	p.do(chromedp.Click(chromedp.CSS("#edit-save")))
	p.wait("the form stays", `!document.querySelector('#edit').open`)
	eventually(t, "the limit does not reach all nodes", func() bool {
		for _, m := range c.members {
			if l := m.node.Load().Limits()["default"]; l.Limit != 60 || l.Burst != 15 {
				return false
			}
		}
		return true
	})
	p.wait("the page does not show what is shadowed", `/default[^]*set[^]*60 per 10s, burst 15[^]*shadows the configured limit: 100 per 10s, burst 20/.test(document.querySelector('#limits').innerText)`)
	p.wait("the log does not tell who did it", `/Limit set: default[^]*100 per 10s, burst 20 → 60 per 10s, burst 15[^]*door http[^]*address 127\.0\.0\.1[^]*token ops\.token/.test(document.querySelector('#log').innerText)`)
	p.do(chromedp.Click(chromedp.CSS(`#limits [aria-label="Change default"]`)), chromedp.WaitVisible(chromedp.CSS("#edit-delete")))
	if kept := eval[string](p, `document.querySelector('#edit-token').value`); kept != "" {
		t.Error("the page kept the token")
	}
	set("#edit-token", token)
	p.do(chromedp.Click(chromedp.CSS("#edit-delete")))
	p.wait("the configured limit is not back", `/100 per 10s, burst 20/.test(document.querySelector('#limits').innerText) && !document.querySelector('#edit').open`)
}

// What a shadow limit would deny passes, and the page does not say that anybody is denied.
func TestAShadowDeniesNobody(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	eval[string](p, `location.hash = 'limit=search'`)
	p.wait("the shadow is not told apart", `/Nobody is being denied under search, which is a shadow: it would deny 1 client\./.test(document.querySelector('#health').innerText)`)
	p.wait("the list says that somebody is denied", `/crawler[^]*in [\d.]+\/s over/.test(document.querySelector('#clients').innerText) && /All of them passed: search is a shadow/.test(document.querySelector('#clients-text').innerText)`)
	p.do(chromedp.Click(chromedp.CSS("#clients li button")))
	p.wait("the explanation contradicts itself", `/Admitted now, though its burst of 300 is used up: the limit is a shadow\.|One unit would pass now: [1-9]/.test(document.querySelector('#explain-body').innerText) && /over it, which passed as well/.test(document.querySelector('#explain-body').innerText)`)
}

func TestThePageOutlivesNodes(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	p.tolerant = true
	c.members[2].kill()
	p.wait("a dead node goes unnoticed", `document.querySelector('#nodes').innerText.match(/silent|gone/) && /n\d and n3 do not hear each other/.test(document.querySelector('#graph').getAttribute('aria-label')) || document.querySelector('#nodes').tBodies[0].rows.length === 2`)
	c.open(t, c.members[2])
	p.wait("the node does not come back", `[...document.querySelectorAll('#nodes .state.alive')].length === 3 && /Peer joined: n3/.test(document.querySelector('#log').innerText)`)
	c.members[0].kill()
	p.wait("nothing says that the node does not answer", `document.querySelector('#health').dataset.state === 'lost' && document.querySelector('#link').dataset.state === 'lost'`)
	c.open(t, c.members[0])
	p.wait("the page does not come back", `document.querySelector('#link').dataset.state === 'live' && document.querySelector('#health').dataset.state !== 'lost'`)
	last := eval[string](p, canvases+`['chart-rate']`)
	eventually(t, "the chart stands still", func() bool { return eval[string](p, canvases+`['chart-rate']`) != last })
}

// Everything works without a mouse.
func TestTheKeyboardIsEnough(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	p.wait("no client is known yet", `document.querySelectorAll('#clients li').length >= 4`)
	p.do(chromedp.KeyEvent(kb.Tab))
	if got := eval[string](p, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q", got)
	}
	tabTo := func(what string) {
		t.Helper()
		for range 60 {
			if eval[bool](p, `document.activeElement.matches(`+fmt.Sprintf("%q", what)+`)`) {
				if outline := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
					t.Errorf("the focus on %s cannot be seen", what)
				}
				return
			}
			p.do(chromedp.KeyEvent(kb.Tab))
		}
		t.Fatalf("no way to %s", what)
	}
	tabTo("#limit")
	tabTo("#tab-heaviest")
	p.do(chromedp.KeyEvent(" "))
	p.wait("the list does not change", `document.querySelector('#tab-heaviest').getAttribute('aria-pressed') === 'true'`)
	tabTo("#clients li button")
	name := eval[string](p, `document.activeElement.querySelector('.name').innerText`)
	p.wait("events move the focus", fmt.Sprintf(`(window.ticks ??= new Set()).add(document.querySelector('#link-text').innerText).size >= 3 && document.activeElement.querySelector('.name').innerText === %q`, name))
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait("Enter explains nothing", `document.querySelector('#explain').open && document.querySelector('#explain').contains(document.activeElement)`)
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait("the focus is lost", fmt.Sprintf(`!document.querySelector('#explain').open && document.activeElement.querySelector('.name')?.innerText === %q`, name))
	tabTo(`[aria-label="Change search"]`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait("the form does not open", `document.querySelector('#edit').open && document.activeElement.id === 'edit-limit' && document.querySelector('#edit-limit').value === '300'`)
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait("the form does not close", `!document.querySelector('#edit').open`)
}

func TestEverySizeAndThemeIsReadable(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	p.wait("no client is known yet", `document.querySelectorAll('#clients li').length >= 4`)
	for _, theme := range []string{"light", "dark"} {
		p.theme(theme)
		for _, width := range []int64{320, 400, 768, 1280} {
			p.do(chromedp.EmulateViewport(width, 900))
			p.wait("the charts do not fit", `[...document.querySelectorAll('.chart')].every(c => c.querySelector('canvas').getBoundingClientRect().width <= c.clientWidth + 1)`)
			if got := eval[int64](p, `document.documentElement.scrollWidth`); got > width {
				t.Errorf("%s: %d px wide, it scrolls sideways to %d: %v", theme, width, got, eval[[]string](p, `[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '#' + e.id + '.' + e.className)`))
			}
			p.picture(fmt.Sprintf("%s-%d", theme, width), true)
		}
		for _, pale := range eval[[]string](p, paleTexts) {
			t.Errorf("%s: %s", theme, pale)
		}
	}
}

// paleTexts lists texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3), or 3 to 1 if they are
// large. It mixes what lies behind a text down to the page.
const paleTexts = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = (e) => { const all = []; for (; e; e = e.parentElement) all.push(rgba(getComputedStyle(e).backgroundColor)); return all.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const pale = [], seen = new Set();
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, style = getComputedStyle(e);
    if (!walk.currentNode.textContent.trim() || !e.getClientRects().length || e.closest('.hidden, noscript, script')) continue;
    texts++;
    const back = behind(e), svg = e.closest('svg'), front = over(rgba(svg ? style.fill : style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    const what = e.tagName + '.' + (e.getAttribute('class') ?? '') + '#' + e.id;
    if (ratio < (large ? 3 : 4.5) && !seen.has(what)) { seen.add(what); pale.push(what + ' "' + walk.currentNode.textContent.trim().slice(0, 40) + '" has a contrast of ' + ratio.toFixed(2)); }
  }
  if (texts < 60) pale.push('only ' + texts + ' texts were found');
  return pale;
})()`

// The policy that comes with the page stops what a name that somebody made up could do.
func TestNamesDoNothing(t *testing.T) {
	c := start(t)
	const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
	n := c.members[0].node.Load()
	p := show(t, c.members[0])
	eventually(t, "the name does not show", func() bool {
		for range 200 {
			n.Do(node.Request{Client: evil})
		}
		return eval[bool](p, `document.querySelector('#clients').innerText.includes('onerror')`)
	})
	if title := eval[string](p, `document.title`); strings.Contains(title, "owned") {
		t.Error("a name ran")
	}
	resp, err := http.Get(c.members[0].url()) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
}
