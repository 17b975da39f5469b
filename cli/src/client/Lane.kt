// Made by `graylane client --lang kotlin`. Do not edit it: when the routing file changes, write it again.
// {{mark}}
package graylane

import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.Response

/** A tenant that a caller may name; the gateway's rules decide who is heard. */
enum class Tenant(val value: String) {
    {{tenants}}
}

/** What the routing file says to applications. */
object Contract {
    /** The header that names the tenant. */
    const val TENANT_HEADER = "{{header}}"
//#if user

    /** The header that keeps a user on one version. */
    const val USER_HEADER = "{{user}}"
//#end
//#if debug

    /** The header of responses that says how a request was decided. */
    const val DEBUG_HEADER = "{{debug}}"
//#end

    /** The only origins that get the headers. `*` stands for one or more labels. */
    val HOSTS: List<String> = listOf({{hosts}})

    /** Changes whenever the contract does; for logs. */
    const val FINGERPRINT = "{{fingerprint}}"
//#if rollouts

    /** Percent by subset, as of when this was made. */
    val ROLLOUTS: Map<String, Map<String, Double>> = mapOf(
{{rollouts}}
    )
//#end

    /** Is the address of one of [HOSTS], scheme and port included? A name with a dot at its end is not. */
    fun isOurs(url: HttpUrl): Boolean {
        val port = if (url.port == HttpUrl.defaultPort(url.scheme)) "" else ":${url.port}"
        val origin = "${url.scheme}://${url.host}$port"
        return HOSTS.any { host ->
            val before = host.substringBefore('*')
            val after = host.substringAfter('*', "")
            when {
                '*' !in host -> origin == host
                else -> origin.startsWith(before) && origin.endsWith(after) && origin.length > before.length + after.length
            }
        }
    }
}

/** Who calls. A part that is null is not sent. A user is recognised by: {{recognised}}. */
data class Lane(
    /** The tenant that is asked for. */
    val tenant: Tenant? = null,
//#if user
    /** What stays with the user, such as the id of an account: visible ASCII. */
    val user: String? = null,
//#end
)

/**
 * Sends the lane to [Contract.HOSTS], and to nobody else, after redirects too: `OkHttpClient.Builder().addNetworkInterceptor(…)`.
 * Headers of an application interceptor would go along when a host redirects to another one, so this refuses to be one.
 */
class LaneInterceptor(private val lane: () -> Lane) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        checkNotNull(chain.connection()) { "add LaneInterceptor by addNetworkInterceptor, not by addInterceptor" }
        val request = chain.request()
        if (!Contract.isOurs(request.url)) return chain.proceed(request)
        val lane = lane()
        val sent = request.newBuilder()
        lane.tenant?.let { sent.header(Contract.TENANT_HEADER, it.value) }
//#if user
        lane.user?.let { sent.header(Contract.USER_HEADER, it) }
//#end
        return chain.proceed(sent.build())
    }
}
