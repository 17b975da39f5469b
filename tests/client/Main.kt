// What `graylane client --lang kotlin` prints, in a real OkHttp: who gets the headers, and who does not.
package graylane

import com.sun.net.httpserver.HttpServer
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Socket
import java.net.SocketAddress
import java.net.URLDecoder
import java.net.URLEncoder
import javax.net.SocketFactory
import okhttp3.Dns
import okhttp3.HttpUrl.Companion.toHttpUrlOrNull
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody

/** What the server was sent: host, method, tenant and user. */
private val seen = mutableListOf<List<String?>>()

/** Every host is this server, whatever its port is called. */
private class Here(private val real: Int) : SocketFactory() {
    override fun createSocket(): Socket = object : Socket() {
        override fun connect(to: SocketAddress, timeout: Int) = super.connect(InetSocketAddress("127.0.0.1", real), timeout)
    }

    override fun createSocket(host: String, port: Int) = throw UnsupportedOperationException()
    override fun createSocket(host: InetAddress, port: Int) = throw UnsupportedOperationException()
    override fun createSocket(host: String, port: Int, local: InetAddress, localPort: Int) = throw UnsupportedOperationException()
    override fun createSocket(host: InetAddress, port: Int, local: InetAddress, localPort: Int) = throw UnsupportedOperationException()
}

/** Answers `/to?ADDRESS` with a redirect there, and everything else with 200. */
private fun serve(): HttpServer {
    val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
    server.createContext("/") { exchange ->
        val headers = exchange.requestHeaders
        seen += listOf(headers.getFirst("host"), exchange.requestMethod, headers.getFirst("tenant"), headers.getFirst("x-user-id"))
        val to = exchange.requestURI.rawQuery?.takeIf { exchange.requestURI.path == "/to" }
        to?.let { exchange.responseHeaders.add("location", URLDecoder.decode(it, "utf-8")) }
        exchange.sendResponseHeaders(if (to == null) 200 else 307, -1)
        exchange.close()
    }
    server.start()
    return server
}

private fun redirect(from: String, to: String) = "$from/to?" + URLEncoder.encode(to, "utf-8")

private fun same(is_: Any?, wanted: Any?, what: String = "") = check(is_ == wanted) { "$what: expected $wanted, got $is_" }

fun main(arguments: Array<String>) {
    // A line each: an address, and whether it gets the headers.
    val addresses = File(arguments[0]).readLines().map { it.split(' ') }
    check(addresses.size > 20)
    for ((address, ours) in addresses) same(address.toHttpUrlOrNull()?.let(Contract::isOurs), ours == "true", address)
    same(Tenant.entries.map { "$it ${it.value}" }, listOf("DEFAULT default", "GRAY_V1 gray-v1", "GRAY_V1_2 gray.v1"))
    same(Contract.ROLLOUTS, mapOf("web" to mapOf("canary" to 2.5, "stable" to 97.5)))

    val server = serve()
    try {
        val plain = OkHttpClient.Builder().dns(object : Dns {
            override fun lookup(hostname: String) = listOf(InetAddress.getLoopbackAddress())
        }).socketFactory(Here(server.address.port)).build()
        var lane = Lane(Tenant.GRAY_V1, "user-1")
        val client = plain.newBuilder().addNetworkInterceptor(LaneInterceptor { lane }).build()
        fun sent(client: OkHttpClient, request: Request): List<List<String?>> {
            seen.clear()
            client.newCall(request).execute().use { same(it.code, 200) }
            return seen.toList()
        }
        fun get(address: String) = Request.Builder().url(address).build()
        val (ours, theirs) = listOf("http://dev.example.com", "http://evil.example")

        val there = redirect(ours, redirect(theirs, "$ours/end"))
        val with = listOf("gray-v1", "user-1")
        same(
            sent(client, Request.Builder().url(there).put("text".toRequestBody()).build()),
            listOf(listOf("dev.example.com", "PUT") + with, listOf("evil.example", "PUT", null, null), listOf("dev.example.com", "PUT") + with),
            "there and back",
        )
        same(sent(client, get(redirect(theirs, "$ours/end"))).map { it[2] }, listOf(null, "gray-v1"), "from elsewhere")
        same(sent(client, get("$ours:8080/")).map { it[2] }, listOf(null), "another port")

        // That is why: headers of the request itself, which an application interceptor adds too, go along.
        val own = get(redirect(ours, theirs)).newBuilder().header("tenant", "gray-v1").build()
        same(sent(plain, own).map { it[2] }, listOf("gray-v1", "gray-v1"), "okhttp")
        val wrong = plain.newBuilder().addInterceptor(LaneInterceptor { lane }).build()
        val refused = runCatching { wrong.newCall(get("$ours/")).execute() }.exceptionOrNull()
        check(refused is IllegalStateException && "addNetworkInterceptor" in refused.message.orEmpty()) { "$refused" }

        lane = Lane()
        same(sent(client, get("$ours/")).map { it.drop(2) }, listOf(listOf(null, null)), "nothing to say")
        client.dispatcher.executorService.shutdown()
        client.connectionPool.evictAll()
    } finally {
        server.stop(0)
    }
    println("kotlin: ${addresses.size} addresses, redirects of OkHttp")
}
